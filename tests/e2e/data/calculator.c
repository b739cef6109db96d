/*
 * Something real to compile: a calculator with variables and functions. It reads lines from a
 * built-in script, prints every value, and ends with a table of the variables sorted by name.
 */
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 61
#define NAME_BYTES 16
#define DEPTH_MAX 40

struct variable {
	struct variable *next;
	char name[NAME_BYTES];
	double value;
	unsigned int writes;
};

struct calculator {
	struct variable *bucket[BUCKETS];
	size_t variables;
	const char *at;
	const char *error;
	unsigned int depth;
};

static double expression(struct calculator *c);

static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

static struct variable *find(struct calculator *c, const char *name, bool create)
{
	struct variable **bucket = &c->bucket[hash_name(name) % BUCKETS], *found;

	for (found = *bucket; found; found = found->next)
		if (strcmp(found->name, name) == 0)
			return found;
	if (!create)
		return NULL;
	found = calloc(1, sizeof(*found));
	if (!found)
		abort();
	strncpy(found->name, name, NAME_BYTES - 1);
	found->next = *bucket;
	*bucket = found;
	c->variables++;
	return found;
}

static void refuse(struct calculator *c, const char *error)
{
	if (!c->error)
		c->error = error;
}

static void skip(struct calculator *c)
{
	while (isspace((unsigned char)*c->at))
		c->at++;
}

static bool accept(struct calculator *c, char wanted)
{
	skip(c);
	if (*c->at != wanted)
		return false;
	c->at++;
	return true;
}

static void read_name(struct calculator *c, char name[NAME_BYTES])
{
	size_t used = 0;

	while (isalnum((unsigned char)*c->at) || *c->at == '_') {
		if (used < NAME_BYTES - 1)
			name[used++] = *c->at;
		c->at++;
	}
	name[used] = '\0';
}

static double gcd(double a, double b)
{
	uint64_t x = (uint64_t)fabs(a), y = (uint64_t)fabs(b);

	while (y) {
		uint64_t rest = x % y;

		x = y;
		y = rest;
	}
	return (double)x;
}

static double factorial(double n)
{
	double result = 1;

	for (double i = 2; i <= n; i++)
		result *= i;
	return result;
}

static double function(struct calculator *c, const char *name)
{
	static const struct {
		const char *name;
		double (*one)(double);
		double (*two)(double, double);
	} functions[] = {
		{ "abs", fabs, NULL },	     { "floor", floor, NULL }, { "ceil", ceil, NULL },
		{ "fact", factorial, NULL }, { "gcd", NULL, gcd },     { "max", NULL, fmax },
		{ "min", NULL, fmin },
	};
	double first = expression(c), second = 0;
	bool two = accept(c, ',');

	if (two)
		second = expression(c);
	if (!accept(c, ')'))
		refuse(c, "missing )");
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (strcmp(functions[i].name, name) != 0)
			continue;
		if (two && functions[i].two)
			return functions[i].two(first, second);
		if (!two && functions[i].one)
			return functions[i].one(first);
		refuse(c, "wrong number of arguments");
		return 0;
	}
	refuse(c, "no such function");
	return 0;
}

static double named(struct calculator *c)
{
	char name[NAME_BYTES];
	struct variable *variable;

	read_name(c, name);
	if (accept(c, '('))
		return function(c, name);
	variable = find(c, name, false);
	if (!variable)
		refuse(c, "no such variable");
	return variable ? variable->value : 0;
}

static double primary(struct calculator *c)
{
	double value;
	char *end;

	skip(c);
	if (++c->depth > DEPTH_MAX)
		refuse(c, "too deep");
	if (c->error) {
		value = 0;
	} else if (accept(c, '(')) {
		value = expression(c);
		if (!accept(c, ')'))
			refuse(c, "missing )");
	} else if (accept(c, '-')) {
		value = -primary(c);
	} else if (isalpha((unsigned char)*c->at)) {
		value = named(c);
	} else {
		value = strtod(c->at, &end);
		if (end == c->at)
			refuse(c, "number expected");
		c->at = end;
	}
	c->depth--;
	return value;
}

static double product(struct calculator *c)
{
	double value = primary(c), by;

	for (;;) {
		if (accept(c, '*')) {
			value *= primary(c);
		} else if (accept(c, '/')) {
			by = primary(c);
			if (by == 0)
				refuse(c, "division by zero");
			else
				value /= by;
		} else {
			return value;
		}
	}
}

static double expression(struct calculator *c)
{
	double value = product(c);

	for (;;) {
		if (accept(c, '+'))
			value += product(c);
		else if (accept(c, '-'))
			value -= product(c);
		else
			return value;
	}
}

static void run_line(struct calculator *c, const char *line)
{
	char name[NAME_BYTES] = "";
	const char *start;
	struct variable *target;
	double value;

	c->at = line;
	c->error = NULL;
	c->depth = 0;
	skip(c);
	start = c->at;
	if (isalpha((unsigned char)*c->at))
		read_name(c, name);
	if (name[0] == '\0' || !accept(c, '=')) {
		name[0] = '\0';
		c->at = start;
	}
	value = expression(c);
	skip(c);
	if (*c->at)
		refuse(c, "rest not understood");
	if (c->error) {
		printf("%-32s ! %s\n", line, c->error);
		return;
	}
	if (name[0]) {
		target = find(c, name, true);
		target->value = value;
		target->writes++;
	}
	printf("%-32s = %.10g\n", line, value);
}

static int by_name(const void *left, const void *right)
{
	const struct variable *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static void print_table(const struct calculator *c)
{
	const struct variable **all = calloc(c->variables ? c->variables : 1, sizeof(*all));
	size_t used = 0;

	if (!all)
		abort();
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct variable *v = c->bucket[i]; v; v = v->next)
			all[used++] = v;
	qsort(all, used, sizeof(*all), by_name);
	for (size_t i = 0; i < used; i++)
		printf("%s %.10g written %u\n", all[i]->name, all[i]->value, all[i]->writes);
	free(all);
}

int main(void)
{
	static const char *const script[] = {
		"1 + 2 * 3",   "(1 + 2) * 3",
		"a = 10 / 4",  "b = a * a - 1",
		"a = a + b",   "gcd(84, 36) + max(a, b)",
		"fact(20)",    "floor(7.9) - ceil(-0.5)",
		"1 / 0",       "2 +",
		"unknown + 1", "nothing(3)",
		"gcd(1)",      "((((((((((1))))))))))",
		"-(-(-5))",    "c = min(3, 4) * abs(-2)",
		"3 4",
	};
	struct calculator calculator = { .at = "" };
	char line[64];

	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		run_line(&calculator, script[i]);
	for (int i = 0; i < 20; i++) {
		snprintf(line, sizeof(line), "v%d = %d * a - %d", i * 7 % 20, i, i * i);
		run_line(&calculator, line);
	}
	print_table(&calculator);
	return 0;
}
