#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"

void gate_decide(struct gate_result *result, const char *verdict, enum gate_code code,
		 const char *reason, ...)
{
	va_list list;
	result->verdict = verdict;
	result->code = code;
	free(result->reason);
	va_start(list, reason);
	if (vasprintf(&result->reason, reason, list) < 0)
		result->reason = NULL;
	va_end(list);
}

void gate_result_release(struct gate_result *result)
{
	for (size_t i = 0; i < GATE_CHANGES_MAX; i++) {
		struct gate_change *change = &result->changes[i];
		free(change->where);
		free(change->expected);
		free(change->actual);
		free(change->event);
		free(change->source);
		free(result->inputs[i]);
	}
	free(result->reason);
	free(result->reproduce);
	free(result->kept);
	document_release(result->verified);
	document_release(result->replayed);
}

static void print_changes(struct json *json, const struct gate_result *result)
{
	json_open(json, "changes", '[');
	for (size_t i = 0; i < result->changes_count && i < GATE_CHANGES_MAX; i++) {
		const struct gate_change *change = &result->changes[i];
		json_open(json, NULL, '{');
		json_text(json, "where", change->where);
		json_text(json, "expected", change->expected);
		json_text(json, "actual", change->actual);
		json_text(json, "event", change->event);
		json_text(json, "source", change->source);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_uint(json, "changes_found", result->changes_count);
	json_open(json, "inputs_changed", '[');
	for (size_t i = 0; i < result->inputs_count && i < GATE_CHANGES_MAX; i++)
		json_text(json, NULL, result->inputs[i]);
	json_close(json, ']');
	json_uint(json, "inputs_changed_found", result->inputs_count);
}

static void print_with(struct json *json, const struct gate *gate, const struct gate_result *result)
{
	json_open(json, "with_used", '[');
	for (size_t i = 0; gate->options.with[i]; i++)
		if (result->with_used[i])
			json_text(json, NULL, gate->options.with[i]);
	json_close(json, ']');
}

void gate_result_json(struct json *json, const struct gate *gate, const struct gate_result *result)
{
	const struct value *checked = value_member(result->replayed, "checked");
	const struct value *divergence = value_member(result->replayed, "divergence");
	json_open(json, NULL, '{');
	json_text(json, "path", result->path);
	value_write(json, "digest", value_member(value_member(result->verified, "trace"), "digest"));
	value_write(json, "tenant", value_member(result->verified, "tenant"));
	value_write(json, "argv", value_member(result->verified, "argv"));
	value_write(json, "recorded", value_member(result->verified, "recorded"));
	json_text(json, "verdict", result->verdict);
	json_int(json, "code", result->code);
	json_text(json, "reason", result->reason);
	json_open(json, "checked", '{');
	json_int(json, "events", value_number(checked, "events"));
	json_int(json, "of", value_number(result->verified, "events"));
	json_close(json, '}');
	json_int(json, "units", value_number(result->verified, "units"));
	value_write(json, "isolation", value_member(result->replayed, "isolation"));
	json_uint(json, "runs", result->runs);
	json_uint(json, "wall_ns", result->wall_ns);
	print_changes(json, result);
	print_with(json, gate, result);
	value_write(json, "divergence", divergence);
	json_text(json, "kept", result->kept);
	json_text(json, "reproduce", result->reproduce);
	json_close(json, '}');
}
