# Front door to tools/: `make help` says what there is.
.DEFAULT_GOAL := help
.PHONY: help build install deb run test check format fuzz fidelity interop bench clean

help:
	@echo 'make run      install what is missing, build, start the honeypot on port 2222'
	@echo 'make test     install what is missing, build, run every test'
	@echo 'make build    build/release/sandtrap'
	@echo 'make deb      build/release/sandtrap_VERSION_ARCH.deb'
	@echo 'make install  into PREFIX (/usr/local), below DESTDIR'
	@echo 'make check    format, layers, headers'
	@echo 'make format   format the C++ files'
	@echo 'make fuzz     replay the corpora, run each fuzzer for 20 seconds'
	@echo 'make fidelity compare with a real sshd, answer by answer'
	@echo 'make interop  try every client against both, write docs/interoperability.md'
	@echo 'make bench    measure against sshd and libssh'
	@echo 'make clean    remove build/'

build:
	@tools/install-deps run
	@tools/build release

PREFIX ?= /usr/local
install: build
	@cmake --install build/release --prefix $(PREFIX) --strip

deb: build
	@cd build/release && cpack

run:
	@tools/run

test:
	@tools/test

check:
	@tools/check-format
	@tools/check-layers --self-test
	@tools/check-scripts
	@tools/check-headers

format:
	@tools/check-format --fix

fuzz:
	@tools/install-deps ci
	@tools/fuzz

fidelity:
	@tools/install-deps ci
	@tools/build release
	@/usr/bin/python3 test/fidelity/compare.py

interop:
	@tools/install-deps test
	@tools/build release
	@images/build.sh --output build/guest --guest-programs build/release/guest
	@/usr/bin/python3 -W ignore test/interop/matrix.py --write

bench:
	@tools/install-deps bench
	@tools/build release
	@tools/build bench -- libssh_server libssh_client bare_handshake
	@bench/run

clean:
	@tools/docker-engine.sh stop
	rm -rf build
