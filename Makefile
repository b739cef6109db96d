# One-word targets over CMake; `make help` lists them. The builds are in build/PRESET.

BUILD := build/release
JOBS := $(shell nproc)
FUZZ_SECONDS ?= 60
MUTATIONS ?= 5000
TAMPERINGS ?= 20000
ARCHIVES ?= 1000
SOAK_SECONDS ?= 600
COMPAT_MODES ?= observed seeded
RACES_SEEDS ?= 300
RACES_RUNS ?= 20
TWINS ?= 10

# Debian's names. Needed to build, test and run the demo:
DEPS := gcc libc6-dev make cmake pkg-config zstd openssl python3 \
	libseccomp-dev libsodium-dev libssl-dev libzstd-dev libxxhash-dev libcbor-dev libzydis-dev \
	libdw-dev libcmocka-dev
# Needed besides by check and fuzz, by cover, and by reproduce:
DEPS_CHECK := clang clang-format libclang-rt-14-dev shellcheck
DEPS_COVER := gcovr
DEPS_REPRODUCE := dpkg-dev debhelper help2man texinfo python3-setuptools tcl dh-buildinfo gettext libselinux1-dev libacl1-dev

# CMake starts makes of its own, which are no part of this one.
CMAKE := env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL cmake

C_FILES = $(shell find sworn.c cmake traces sandbox record replay verify tests -name '*.[ch]')
SCRIPTS = .ci/deps .ci/run $(shell find tests -name "*.sh" -not -path "*/data/*")

.PHONY: all build deps deps-compat demo test check compat format bench bench-audit soak races twins reproduce deps-reproduce fuzz mutate tamper cover clean help

all: build

build:
	@command -v cmake > /dev/null || { echo 'cmake is missing; type: make deps' >&2; exit 1; }
	@[ -f $(BUILD)/Makefile ] || $(CMAKE) --preset release
	@$(CMAKE) --build $(BUILD) -j $(JOBS)

deps:
	@.ci/deps $(DEPS)

demo: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn bash tests/demo/run.sh

test: deps
	@$(MAKE) --no-print-directory build
	@bash tests/run.sh $(BUILD)

check:
	@.ci/deps $(DEPS) $(DEPS_CHECK)
	@changed=$$(for file in $(C_FILES); do clang-format $$file | cmp -s - $$file || echo "  $$file"; done); \
	[ -z "$$changed" ] || { echo "make format would change:" && echo "$$changed" && exit 1; }
	shellcheck -s bash -S warning -e SC2154 $(SCRIPTS)
	@for check in layers words size; do echo "tests/tidy/$$check.sh" && bash tests/tidy/$$check.sh . || exit 1; done
	$(CMAKE) --preset clang && $(CMAKE) --build build/clang -j $(JOBS)
	$(CMAKE) --preset dev && $(CMAKE) --build build/dev -j $(JOBS)
	bash tests/run.sh build/dev
	$(CMAKE) --preset tsan && $(CMAKE) --build build/tsan -j $(JOBS)
	@# The one file with threads is traces/worker.c; a guest that a test of sandbox/ stops would be the sanitizer's.
	bash tests/run.sh build/tsan -R '^unit_(traces|record|replay|verify)_'

format:
	clang-format -i $(C_FILES)

bench: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest python3 tests/bench/bench.py

bench-audit: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest python3 tests/bench/audit.py

# What the programs of tests/compat/ need; no daemon is started when its package is installed.
deps-compat:
	@.ci/deps --no-start $(sort $(shell sed -n 's/^# packages //p' tests/compat/*.sh))

compat: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest \
		COMPAT_MODES="$(COMPAT_MODES)" COMPAT_TABLE=$(CURDIR)/docs/COMPATIBILITY.md bash tests/compat/run.sh $(NAMES)

soak: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest bash tests/soak.sh $(SOAK_SECONDS)

# Every seed of the races RACES_RUNS times, and how rare what --chaos finds is.
races: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest \
		RACES_FULL=1 RACES_SEEDS=$(RACES_SEEDS) RACES_RUNS=$(RACES_RUNS) RACES_CHAOS=2000 RACES_JOBS=$(JOBS) \
		bash tests/run_one.sh races bash $(CURDIR)/tests/e2e/test_races.sh

# The programs of the other tests, TWINS times each with one seed, beside four busy processes.
twins: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest TWINS=$(TWINS) TWINS_LOAD=4 TWINS_ONLY= \
		bash tests/run_one.sh twins bash $(CURDIR)/tests/e2e/test_twins.sh

# What the packages of tests/reproduce/ need to be built.
deps-reproduce:
	@.ci/deps $(DEPS_REPRODUCE)

# Debian packages, or those that PACKAGES names, built twice natively and twice under Sworn.
reproduce: deps
	@$(MAKE) --no-print-directory build
	@SWORN=$(CURDIR)/$(BUILD)/sworn GUESTS=$(CURDIR)/$(BUILD)/guest SOURCE=$(CURDIR) \
		REPRODUCE_TABLE=$(CURDIR)/docs/REPRODUCIBLE.md \
		bash tests/run_one.sh reproduce bash $(CURDIR)/tests/reproduce/run.sh $(PACKAGES)

fuzz:
	@.ci/deps $(DEPS) $(DEPS_CHECK)
	$(CMAKE) --preset fuzz && $(CMAKE) --build build/fuzz -j $(JOBS)
	@bash tests/fuzz/run.sh build/fuzz/fuzz $(FUZZ_SECONDS)

mutate:
	@.ci/deps $(DEPS) $(DEPS_CHECK)
	$(CMAKE) --preset dev && $(CMAKE) --build build/dev -j $(JOBS)
	@SWORN=$(CURDIR)/build/dev/sworn GUESTS=$(CURDIR)/build/dev/guest MUTATIONS=$(MUTATIONS) \
		bash tests/run_one.sh mutate bash $(CURDIR)/tests/e2e/test_mutate.sh

tamper: all
	@SWORN=$(CURDIR)/build/release/sworn GUESTS=$(CURDIR)/build/release/guest TAMPERINGS=$(TAMPERINGS) \
		bash tests/run_one.sh tamper bash $(CURDIR)/tests/e2e/test_tamper.sh
	@SWORN=$(CURDIR)/build/release/sworn GUESTS=$(CURDIR)/build/release/guest ARCHIVES=$(ARCHIVES) \
		bash tests/run_one.sh verifier bash $(CURDIR)/tests/e2e/test_verifier.sh

cover:
	@.ci/deps $(DEPS) $(DEPS_COVER)
	$(CMAKE) --preset cover && $(CMAKE) --build build/cover -j $(JOBS)
	bash tests/run.sh build/cover
	gcovr --root . --exclude 'tests/.*' --exclude-unreachable-branches build/cover

clean:
	rm -rf build

help:
	@echo 'make          build build/release/sworn'
	@echo 'make deps     install the packages needed (asks first; YES=1: does not)'
	@echo 'make demo     record a build, take its files away, replay it'
	@echo 'make test     everything that CI runs: deps, build, all tests'
	@echo 'make check    format, lint, layers, both compilers, all tests under sanitizers'
	@echo 'make format   let clang-format write the sources'
	@echo 'make compat   real programs, or NAMES: recorded in COMPAT_MODES, replayed COMPAT_REPLAYS=1 times, beside COMPAT_LOAD=0 loops'
	@echo 'make deps-compat  install those programs'
	@echo 'make bench    time of recording and replaying, against native; bench-audit: of the questions of sworn audit'
	@echo 'make soak     every program ten times, quiet and under load; again until SOAK_SECONDS=0 are over'
	@echo 'make races    races: RACES_SEEDS=300 seeds RACES_RUNS=20 times each, the same every time'
	@echo 'make twins    programs TWINS=10 times each with one seed, on a busy host, the same every time'
	@echo 'make deps-reproduce  install what the packages need that make reproduce builds'
	@echo 'make reproduce  Debian packages built twice, natively and under Sworn, compared bit by bit'
	@echo 'make fuzz     each fuzz program for FUZZ_SECONDS=60'
	@echo 'make mutate   MUTATIONS=5000 damaged traces against the build with sanitizers'
	@echo 'make tamper   TAMPERINGS=20000 changed archives, and ARCHIVES=1000 that a second verifier judges too'
	@echo 'make cover    line coverage of all tests'
	@echo 'make clean    remove build/'
