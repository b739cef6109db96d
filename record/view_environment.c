/* The environment of a command: all of the user's, or what is named, or what goes with a working directory that is shown under another name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define FIXED 6U

/* What speaks of the user, of the session or the shell that sworn was started from, or of the place on earth. */
static const char *const dropped[] = {
	"HOME=", "USER=", "LOGNAME=", "PWD=",  "OLDPWD=", "SHLVL=", "_=",  "MAIL=",	"SHELL=",
	"XDG_",	 "DBUS_", "SSH_",     "SUDO_", "SWORN_",  "LANG=",  "LC_", "LANGUAGE=", "TZ=",
};

/* What names the places that are covered when the command has a /tmp of its own. */
static const char *const places[] = { "TMPDIR=", "TMP=", "TEMP=" };

static bool is_among(const char *variable, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	}
	return false;
}

static bool is_dropped(const char *variable, const struct view_places *shown)
{
	return (shown->workdir && is_among(variable, dropped, sizeof(dropped) / sizeof(dropped[0]))) ||
	       (shown->private_tmp && is_among(variable, places, sizeof(places) / sizeof(places[0])));
}

/* The entry for the variable that `text`, NAME or NAME=..., is about; NULL when there is none. */
static const char *find(const char *const *variables, const char *text)
{
	size_t length = strcspn(text, "=");

	for (; *variables; variables++) {
		if (strncmp(*variables, text, length) == 0 && (*variables)[length] == '=')
			return *variables;
	}
	return NULL;
}

/* The named variables in the order of their names on the command line, each once. */
static void take_named(const char **made, const char *const *environment, const char *const *named)
{
	size_t n = 0;

	for (; *named; named++) {
		const char *variable = strchr(*named, '=') ? *named : find(environment, *named);

		if (variable && !find(made, variable))
			made[n++] = variable;
	}
}

static void take_all(const char **made, const char *const *environment, const struct view_places *shown)
{
	size_t n = 0;

	for (; *environment; environment++) {
		if (!is_dropped(*environment, shown))
			made[n++] = *environment;
	}
}

char **view_environment(char *const *environment, const struct view_places *shown,
			const char *const *named)
{
	static const char *const fixed[FIXED] = {
		"HOME=", "LANG=C.UTF-8", "LOGNAME=" VIEW_USER_NAME,
		"PWD=",	 "TZ=UTC",	 "USER=" VIEW_USER_NAME
	};
	size_t count = 0, named_count = 0, n = 0;
	const char **made;
	char *text;

	while (environment[count])
		count++;
	while (named[named_count])
		named_count++;
	made = calloc(count + named_count + FIXED + 1, sizeof(*made));
	if (!made)
		return NULL;
	if (named_count > 0)
		take_named(made, (const char *const *)environment, named);
	else
		take_all(made, (const char *const *)environment, shown);
	while (made[n])
		n++;
	for (size_t i = 0; shown->workdir && i < FIXED; i++) {
		if (find(made, fixed[i]))
			continue;
		if (asprintf(&text, "%s%s", fixed[i],
			     fixed[i][strlen(fixed[i]) - 1] == '=' ? shown->workdir : "") < 0)
			return NULL;
		made[n++] = text;
	}
	return (char **)made;
}
