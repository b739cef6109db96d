#include "document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../traces/error.h"

struct input {
	const char *at, *end;
	unsigned int depth;
};

static int parse_value(struct input *in, struct value *value);

static void skip_space(struct input *in)
{
	while (in->at < in->end &&
	       (*in->at == ' ' || *in->at == '\n' || *in->at == '\t' || *in->at == '\r'))
		in->at++;
}

static bool take(struct input *in, char wanted)
{
	skip_space(in);
	if (in->at == in->end || *in->at != wanted)
		return false;
	in->at++;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte behind a backslash; negative when it is none. */
static int parse_escape(struct input *in)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int code = 0;
	if (in->at == in->end)
		return SWORN_EFORMAT;
	char c = *in->at++;
	if (c != 'u') {
		found = c ? strchr(names, c) : NULL;
		return found ? bytes[found - names] : SWORN_EFORMAT;
	}
	for (int i = 0; i < 4; i++) {
		int digit = in->at < in->end ? hex_digit(*in->at++) : -1;
		if (digit < 0)
			return SWORN_EFORMAT;
		code = code * 16 + digit;
	}
	return code > 0 && code < 0x100 ? code : '?';
}

static int parse_text(struct input *in, char **ret_text)
{
	const char *close = in->at;
	size_t length = 0;
	char *text;
	while (close < in->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= in->end)
		return SWORN_EFORMAT;
	text = malloc((size_t)(close - in->at) + 1);
	if (!text)
		return -ENOMEM;
	while (in->at < close) {
		int byte = (unsigned char)*in->at++;
		if (byte < 0x20)
			byte = SWORN_EFORMAT;
		else if (byte == '\\')
			byte = parse_escape(in);
		if (byte < 0) {
			free(text);
			return byte;
		}
		text[length++] = (char)byte;
	}
	in->at++;
	text[length] = '\0';
	*ret_text = text;
	return 0;
}

static int parse_number(struct input *in, struct value *value)
{
	char text[24];
	size_t length = 0;
	char *end;
	while (in->at < in->end && length + 1 < sizeof(text) &&
	       ((*in->at >= '0' && *in->at <= '9') || *in->at == '-'))
		text[length++] = *in->at++;
	text[length] = '\0';
	errno = 0;
	/* Counts beyond what an int64_t holds do not occur; their upper half would read as the largest. */
	value->number = strtoll(text, &end, 10);
	if (length == 0 || *end != '\0' ||
	    (in->at < in->end && (*in->at == '.' || *in->at == 'e' || *in->at == 'E')))
		return SWORN_EFORMAT;
	value->kind = VALUE_NUMBER;
	return 0;
}

static int parse_word(struct input *in, struct value *value)
{
	static const struct {
		const char *word;
		enum value_kind kind;
		bool truth;
	} words[] = { { "null", VALUE_NULL, false },
		      { "true", VALUE_BOOL, true },
		      { "false", VALUE_BOOL, false } };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i].word);
		if ((size_t)(in->end - in->at) < length || strncmp(in->at, words[i].word, length) != 0)
			continue;
		in->at += length;
		value->kind = words[i].kind;
		value->truth = words[i].truth;
		return 0;
	}
	return parse_number(in, value);
}

/* Members up to the closing bracket. */
static int parse_inner(struct input *in, struct value *value, char close)
{
	struct value **last = &value->inner;
	int r = 0;
	if (++in->depth > DOCUMENT_DEPTH_MAX)
		return SWORN_ELIMIT;
	if (take(in, close))
		goto out;
	do {
		struct value *one = calloc(1, sizeof(*one));
		if (!one)
			return -ENOMEM;
		*last = one;
		last = &one->next;
		if (close == '}') {
			r = take(in, '"') ? parse_text(in, &one->key) : SWORN_EFORMAT;
			if (r == 0 && !take(in, ':'))
				r = SWORN_EFORMAT;
		}
		if (r == 0)
			r = parse_value(in, one);
		if (r < 0)
			return r;
	} while (take(in, ','));
	if (!take(in, close))
		return SWORN_EFORMAT;
out:
	in->depth--;
	return 0;
}

static int parse_value(struct input *in, struct value *value)
{
	if (take(in, '{')) {
		value->kind = VALUE_OBJECT;
		return parse_inner(in, value, '}');
	}
	if (take(in, '[')) {
		value->kind = VALUE_LIST;
		return parse_inner(in, value, ']');
	}
	if (take(in, '"')) {
		value->kind = VALUE_TEXT;
		return parse_text(in, &value->text);
	}
	return parse_word(in, value);
}

int document_parse(const char *text, size_t length, struct value **ret)
{
	struct input in = { .at = text, .end = text + length };
	struct value *value;
	int r;
	if (length > DOCUMENT_BYTES_MAX)
		return SWORN_ELIMIT;
	value = calloc(1, sizeof(*value));
	if (!value)
		return -ENOMEM;
	r = parse_value(&in, value);
	skip_space(&in);
	if (r == 0 && in.at != in.end)
		r = SWORN_EFORMAT;
	if (r < 0)
		document_release(value);
	else
		*ret = value;
	return r;
}

void document_release(struct value *value)
{
	while (value) {
		struct value *next = value->next;
		document_release(value->inner);
		free(value->text);
		free(value->key);
		free(value);
		value = next;
	}
}

const struct value *value_member(const struct value *value, const char *key)
{
	if (!value || value->kind != VALUE_OBJECT)
		return NULL;
	for (const struct value *one = value->inner; one; one = one->next)
		if (!strcmp(one->key, key))
			return one;
	return NULL;
}

const char *value_text(const struct value *value, const char *key)
{
	const struct value *found = value_member(value, key);
	return found && found->kind == VALUE_TEXT ? found->text : NULL;
}

int64_t value_number(const struct value *value, const char *key)
{
	const struct value *found = value_member(value, key);
	return found && found->kind == VALUE_NUMBER ? found->number : 0;
}

bool value_truth(const struct value *value, const char *key)
{
	const struct value *found = value_member(value, key);
	return found && found->kind == VALUE_BOOL && found->truth;
}

const struct value *value_list(const struct value *value, const char *key)
{
	const struct value *found = value_member(value, key);
	return found && found->kind == VALUE_LIST ? found->inner : NULL;
}

void value_write(struct json *json, const char *key, const struct value *value)
{
	if (!value || value->kind == VALUE_NULL) {
		json_text(json, key, NULL);
		return;
	}
	switch (value->kind) {
	case VALUE_NULL: break;
	case VALUE_BOOL: json_bool(json, key, value->truth); break;
	case VALUE_NUMBER: json_int(json, key, value->number); break;
	case VALUE_TEXT: json_text(json, key, value->text); break;
	case VALUE_LIST:
	case VALUE_OBJECT:
		json_open(json, key, value->kind == VALUE_LIST ? '[' : '{');
		for (const struct value *one = value->inner; one; one = one->next)
			value_write(json, one->key, one);
		json_close(json, value->kind == VALUE_LIST ? ']' : '}');
		break;
	}
}
