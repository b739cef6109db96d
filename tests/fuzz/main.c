/*
 * Runs a fuzz program's corpus once, without libFuzzer: every file of the directory given, and of the
 * empty input. A missing directory is an empty corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static int run_file(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *bytes = malloc(1 << 24);
	FILE *file;
	size_t length;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rbe");
	if (!file || !bytes) {
		perror(path);
		free(bytes);
		return -1;
	}
	length = fread(bytes, 1, 1 << 24, file);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, length);
	free(bytes);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *corpus = argc > 1 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	int count = 0, failed = 0;

	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	while (corpus && (entry = readdir(corpus))) {
		if (entry->d_name[0] == '.')
			continue;
		failed |= run_file(argv[1], entry->d_name);
		count++;
	}
	if (corpus)
		closedir(corpus);
	printf("%d inputs\n", count);
	return failed ? 1 : 0;
}
