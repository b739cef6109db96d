/* `sworn doctor`: what the host offers, for people or as JSON. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "../traces/report.h"
#include "doctor.h"
#include "host.h"
#include "probe.h"

enum doctor_code { DOCTOR_OK = 0, DOCTOR_USAGE = 2, DOCTOR_UNABLE = 3 };

static const char help[] = "usage: sworn doctor [--json]\n"
			   "\n"
			   "  sworn doctor && sworn record -- make test\n"
			   "  sworn doctor --json | python3 -m json.tool\n"
			   "\n"
			   "Tries what this host offers of what Sworn uses, says what each gap costs, and names\n"
			   "the setting that closes it. Changes nothing.\n"
			   "\n"
			   "  --json  print a JSON object\n"
			   "  --help  print this\n"
			   "\n"
			   "Exit codes: 0 programs can be recorded and replayed here, whatever the gaps; 2 usage;\n"
			   "3 something is missing without which nothing works.\n";

static const char *const states[] = { [PROBE_OK] = "ok", [PROBE_MISSING] = "missing", [PROBE_OFF] = "off" };

static bool is_able(const struct probe_host *host)
{
	for (size_t i = 0; i < PROBES; i++) {
		if (host->probes[i].needed && host->probes[i].state != PROBE_OK)
			return false;
	}
	return true;
}

static unsigned gaps(const struct probe_host *host)
{
	unsigned count = 0;

	for (size_t i = 0; i < PROBES; i++)
		count += host->probes[i].state != PROBE_OK;
	return count;
}

static const char *verdict(const struct probe_host *host)
{
	if (!is_able(host))
		return "unable";
	return gaps(host) ? "limited" : "ready";
}

static void print_text(const struct probe_host *host)
{
	printf("kernel       %s\ncpu          %s, %u usable\nuser         %s\n", host->kernel,
	       host->cpu, host->cpus, host->root ? "root" : "not root");
	if (host->stop_ns)
		printf("stop         %" PRIu64 " ns each\n", host->stop_ns);
	for (size_t i = 0; i < PROBES; i++) {
		const struct probe *probe = &host->probes[i];

		printf("%-12s %s: %s\n", probe->name, states[probe->state], probe->detail);
		if (probe->cost)
			printf("%14scost    %s\n", "", probe->cost);
		if (probe->remedy[0])
			printf("%14sremedy  %s\n", "", probe->remedy);
	}
	printf("%s: %s, %u gap%s\n", verdict(host),
	       is_able(host) ? "programs can be recorded and replayed here"
			     : "nothing can be recorded here",
	       gaps(host), gaps(host) == 1 ? "" : "s");
}

static void print_json(const struct probe_host *host)
{
	struct json json = { .out = stdout };

	json_open(&json, NULL, '{');
	report_head(&json, "doctor");
	json_text(&json, "verdict", verdict(host));
	json_int(&json, "code", is_able(host) ? DOCTOR_OK : DOCTOR_UNABLE);
	json_open(&json, "host", '{');
	json_text(&json, "kernel", host->kernel);
	json_text(&json, "cpu", host->cpu);
	json_uint(&json, "cpus", host->cpus);
	json_bool(&json, "root", host->root);
	json_uint(&json, "stop_ns", host->stop_ns);
	json_close(&json, '}');
	json_open(&json, "checks", '[');
	for (size_t i = 0; i < PROBES; i++) {
		const struct probe *probe = &host->probes[i];

		json_open(&json, NULL, '{');
		json_text(&json, "name", probe->name);
		json_bool(&json, "needed", probe->needed);
		json_text(&json, "state", states[probe->state]);
		json_text(&json, "detail", probe->detail);
		json_text(&json, "cost", probe->cost);
		json_text(&json, "remedy", probe->remedy[0] ? probe->remedy : NULL);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
	fputc('\n', stdout);
}

static int usage(const char *problem, const char *what)
{
	fprintf(stderr, "sworn doctor: %s%s; `sworn doctor --help` explains\n", problem, what);
	return DOCTOR_USAGE;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct probe_host host;
	bool as_json = false;
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'j': as_json = true; break;
		case 'h': fputs(help, stdout); return DOCTOR_OK;
		default: return usage("unknown option ", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return usage("unexpected argument ", argv[optind]);
	if (host_check())
		return usage("SWORN_WITHOUT has the unknown name ", host_check());
	probe_host(&host);
	if (as_json)
		print_json(&host);
	else
		print_text(&host);
	if (fflush(stdout) || ferror(stdout))
		return DOCTOR_UNABLE;
	return is_able(&host) ? DOCTOR_OK : DOCTOR_UNABLE;
}
