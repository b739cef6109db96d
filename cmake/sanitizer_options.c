/*
 * Linked into a sworn that is built with the address sanitizer. Its leak check needs to trace the process, which
 * neither a recorder nor a process in the replay domain allows; unit tests look for leaks.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
