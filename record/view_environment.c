/* The environment of a command whose working directory is shown under another name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

/* What speaks of the user, the session or the shell that sworn was started from. */
static const char *const dropped[] = {
	"HOME=", "USER=",  "LOGNAME=", "PWD=",	"OLDPWD=", "SHLVL=", "_=",
	"MAIL=", "SHELL=", "XDG_",     "DBUS_", "SSH_",	   "SUDO_",  "SWORN_",
};

static bool is_dropped(const char *variable)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
		if (strncmp(variable, dropped[i], strlen(dropped[i])) == 0)
			return true;
	}
	return false;
}

char **view_environment(char *const *environment, const char *workdir)
{
	static const char *const fixed[] = { "HOME", "LOGNAME", "PWD", "USER" };
	size_t count = 0, n = 0;
	char **made;

	while (environment[count])
		count++;
	made = calloc(count + sizeof(fixed) / sizeof(fixed[0]) + 1, sizeof(*made));
	if (!made)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (!is_dropped(environment[i]))
			made[n++] = environment[i];
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		const char *value = i % 2 ? VIEW_USER_NAME : workdir;

		if (asprintf(&made[n++], "%s=%s", fixed[i], value) < 0)
			return NULL;
	}
	return made;
}
