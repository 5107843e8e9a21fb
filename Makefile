# A thin front: what each target does is in CMakePresets.json, tools/ and bench/.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 180
STORM_COMMITS ?= 2000
STORM_KILLS ?= 180

.PHONY: all build demo check bench bench-store storm fuzz install clean help

all: build

build:
	@tools/deps.sh build
	@tools/build.sh release
	@ln -sf release/calve build/calve

demo:
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory build
	@"$$(tools/deps.sh python)" tools/demo.py

check:
	@tools/check.sh

bench:
	@tools/deps.sh demo
	@$(MAKE) --no-print-directory build
	@"$$(tools/deps.sh python)" bench/bench.py

bench-store:
	@tools/deps.sh check
	@$(MAKE) --no-print-directory build
	@"$$(tools/deps.sh python)" bench/store.py

storm:
	@tools/deps.sh check
	@$(MAKE) --no-print-directory build
	@CALVE_TEST_COMMITS=$(STORM_COMMITS) "$$(tools/deps.sh python)" -m pytest -s \
		tests/e2e/test_aws_faults.py -k many_commits
	@CALVE_TEST_KILLS=$(STORM_KILLS) "$$(tools/deps.sh python)" -m pytest -s tests/e2e/test_aws_storm.py

fuzz:
	@tools/deps.sh fuzz
	@tools/fuzz.sh $(FUZZ_SECONDS)

install: build
	install -D -m 755 build/release/calve $(DESTDIR)$(PREFIX)/bin/calve

clean:
	rm -rf build

help:
	@echo 'make           installs what building needs, builds build/calve'
	@echo 'make demo      a private MySQL 9 under change, followed into ./lake and read back'
	@echo 'make check     every test: lints, unit tests, sanitizers, end to end'
	@echo 'make bench     calve beside mysqlbinlog and mysql on the same data, decoding too'
	@echo 'make bench-store  the same work to local disk and to an S3 server, near and far'
	@echo 'make storm     commits through a storm of faults on S3 and the catalogs, then kills: the long forms'
	@echo 'make fuzz      each fuzzer for FUZZ_SECONDS (180)'
	@echo 'make install   to PREFIX (/usr/local), below DESTDIR'
	@echo 'make clean     removes build/'
