# For those who know make; CMake does the work. `sh scripts/setup` installs what is missing.
PREFIX ?= /usr/local
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

.PHONY: all help test bench install format clean
all: build/CMakeCache.txt
	@cmake --build build -j $(JOBS)

build/CMakeCache.txt:
	@cmake --preset release

help:
	@echo "make           build the program and the library below build/"
	@echo "make test      run all tests; one of them: make test NAME=cli"
	@echo "make bench     run the benchmark programs below bench/ (takes minutes)"
	@echo "make install   PREFIX=/usr/local and DESTDIR= as usual"
	@echo "make format    lay out the sources by clang-format 14"
	@echo "make clean     remove build/ and what was built beside it"

test: all
	@ctest --test-dir build --output-on-failure $(if $(NAME),-R '$(NAME)')

bench: all
	@for program in build/bench_*; do [ ! -x "$$program" ] || { echo "== $$program"; "$$program" || exit 1; }; done

install: all
	@cmake --install build --prefix '$(PREFIX)'

format:
	@sh scripts/format

clean:
	@rm -rf build build-clang build-debug build-sanitize
