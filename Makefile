# What one does with this project. Every target first installs what this machine lacks (as root at once,
# otherwise asking before sudo), so that a fresh clone needs nothing typed but the target.

SWIFT ?= swift
# Which tests to run: a regular expression of their names. Empty: all.
FILTER ?=
# Which parts of the client tests to run (Tests/ClientTests/README.md). Empty: all.
PARTS ?=
# The machine of test-board: a76, a72, 16k, no-memory-controller, 512M, bookworm; or in VARIANTS several, or all.
VARIANT ?= a76
VARIANTS ?= $(VARIANT)
# Those that make test-fast leaves out, since they take seconds: suites, and single tests of others.
SLOW := (Pocket|RowIndependence|InstructionSet|Golden|LatentAttention|DamagedFile|Choice|Session)Tests/
SLOW := $(SLOW)|(Comparison|RouteTrace|Resume|InterruptedPacking|(Ask|Bench)Command|CommandFailure)Tests/
SLOW := $(SLOW)|(Engine|EngineMemory|BatchServer)Tests/|AnswerTests/sameSeed|ExpertStoreTests/(sameTokens|randomSequences)
SLOW := $(SLOW)|KeepingTests/(conversations|interruptions|givesWay)
SLOW := $(SLOW)|(Listener|RawRequest|Server|ServeCommand)Tests/|OnlyWayTests/interrupted
SLOW := $(SLOW)|(Change|JPEGSplitter|WatchLoop|WatchCommand|Batch(Server)?Command|DescribeCommand)Tests/
SLOW := $(SLOW)|TokenizerTests/.*(UnderASecond|LinearTime)|GroundedSpansTests/mutations|PictureErrorTests/every
# The tests measure arithmetic, and C at -O0 is unusable, so tests are optimised too.
CONFIGURATION := release

# Where make serve-demo listens, on this machine alone.
PORT ?= 11434

# Which packages make deb makes: amd64, arm64. Empty: both.
ARCH ?=
# Where make install copies to.
PREFIX ?= /usr/local

.PHONY: help demo serve-demo build manual install test test-fast test-clients lint bench test-arm64 test-board test-sanitizers
.PHONY: test-threads test-task-limits test-newcomer clean dependencies

help:
	@echo "make demo             build, pack the bundled model, ask about a bundled picture"
	@echo "make serve-demo       the same model at http://127.0.0.1:11434 for browsers and other programs; PORT=N elsewhere"
	@echo "make build            vl2 and vl2-convert, optimised, in .build/release"
	@echo "make manual           manual pages of both programs, in .build/manual"
	@echo "make install          copies what make build and make manual made to PREFIX (/usr/local)"
	@echo "make deb              Debian packages in .build-packages; ARCH=arm64 or amd64 one of them (root; docs/INSTALLING.md)"
	@echo "make tarball          both programs with their libraries for amd64, in .build-packages (root)"
	@echo "make check-packages   the packages' symbols, dependencies and unit, without a machine (root)"
	@echo "make test-packages    installs, serves, upgrades and purges in bare roots of Debian 12 and 13 (root)"
	@echo "make test             all tests; FILTER=Regex runs those whose names match"
	@echo "make test-fast        those tests that take no long time: half a minute"
	@echo "make test-clients     vl2 serve with the programs that speak to it; PARTS='ollama raw-http' runs some"
	@echo "make lint             formatting, scripts, what stands on which floor, sizes of files"
	@echo "make bench            measures vl2, beside llama.cpp and PyTorch where they are installed"
	@echo "make board-counts     Benchmarks/boards.md: a photo question on three boards, by counted instructions (after make test-arm64)"
	@echo "make quality          what each code costs on a trained language model, beside llama.cpp's; WINDOWS=8 is shorter"
	@echo "make test-arm64       cross-build for arm64 and run the tests under qemu (root; see CONTRIBUTING.md)"
	@echo "make test-board       the arm64 package in an emulated board (root; see CONTRIBUTING.md); VARIANTS=all: all boards"
	@echo "make test-sanitizers  the C kernels under AddressSanitizer and UndefinedBehaviorSanitizer"
	@echo "make test-threads     the engine, the server and their threads under ThreadSanitizer"
	@echo "make test-soak        vl2 serve with 16 clients of all kinds while files and descriptors fail; MINUTES=30 SEED=1"
	@echo "make test-kiosk       the page for a screen in Chromium for 10 minutes, with 2,000 answers and events; MINUTES, EVENTS"
	@echo "make test-batch       vl2 batch killed again and again; PICTURES=2000 KILLS=20 SEED=1"
	@echo "make test-deploy      the three ways to many machines, one of them killed: WAYS='parallel slurm nginx' PICTURES=2000 SEED=1"
	@echo "make test-lmms-eval   lmms-eval asks vl2 serve pocket's questions, offline, and finds as many right as vl2 eval"
	@echo "make test-reading     documents, manuals of Debian and videos, killed and resumed: about half an hour"
	@echo "make test-day         vl2 watch for a day before a camera, as fast as it goes; CHANGES=1000 SEED=1"
	@echo "make test-task-limits every command where few processes and threads can be made (root)"
	@echo "make test-newcomer    make demo and make test on a bare Debian 13, by a user with sudo (root)"
	@echo "make clean            delete what was built"

dependencies:
	@scripts/install-dependencies.sh

demo:
	@scripts/demo.sh

serve-demo:
	@PORT=$(PORT) scripts/demo.sh --serve

build: dependencies
	$(SWIFT) build -c $(CONFIGURATION)

manual: dependencies
	$(SWIFT) package generate-manual --multi-page
	mkdir -p .build/manual
	cp .build/plugins/GenerateManual/outputs/*/*.1 .build/manual/

install:
	@scripts/install.sh $(PREFIX)

.PHONY: deb tarball check-packages test-packages
deb:
	packaging/deb.sh $(ARCH)

tarball:
	packaging/tarball.sh

check-packages:
	packaging/check.sh

test-packages:
	packaging/check-roots.sh

test: dependencies
	$(SWIFT) build -c $(CONFIGURATION) --build-tests
	$(SWIFT) test -c $(CONFIGURATION) --skip-build --disable-xctest $(if $(FILTER),--filter '$(FILTER)')

test-fast: dependencies
	$(SWIFT) build -c $(CONFIGURATION) --build-tests
	$(SWIFT) test -c $(CONFIGURATION) --skip-build --disable-xctest --skip '$(SLOW)'

test-clients: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/test-clients.sh $(PARTS)

.PHONY: test-kiosk
test-kiosk: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/test-clients.sh kiosk-long

.PHONY: test-soak
test-soak: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	python3 Tests/ClientTests/soak.py --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1)

.PHONY: test-batch
test-batch: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	python3 Tests/ClientTests/batch.py --pictures $(or $(PICTURES),2000) --kills $(or $(KILLS),20) --seed $(or $(SEED),1)

.PHONY: test-deploy
test-deploy:
	@scripts/install-dependencies.sh deploy
	$(SWIFT) build -c $(CONFIGURATION)
	python3 Tests/ClientTests/deploy.py --pictures $(or $(PICTURES),2000) --seed $(or $(SEED),1) $(WAYS)

.PHONY: test-lmms-eval
test-lmms-eval: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/test-clients.sh lmms-eval

.PHONY: test-reading
test-reading: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/test-clients.sh reading reading-long

.PHONY: test-day
test-day: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/test-clients.sh --run day.py --changes $(or $(CHANGES),1000) --seed $(or $(SEED),1)

lint:
	@scripts/install-dependencies.sh lint
	scripts/lint.sh

bench: dependencies
	Benchmarks/compare.sh

.PHONY: board-counts
board-counts:
	python3 Benchmarks/boards.py > .build/boards.md
	mv .build/boards.md Benchmarks/boards.md

.PHONY: quality
quality: dependencies
	$(SWIFT) build -c $(CONFIGURATION)
	scripts/quality.sh $(if $(WINDOWS),--windows $(WINDOWS))

test-arm64:
	scripts/arm64/test.sh

test-newcomer:
	scripts/test-newcomer.sh

test-board:
	scripts/board/test.sh $(VARIANTS)

test-sanitizers: dependencies
	scripts/test-sanitizers.sh

test-threads: dependencies
	scripts/test-threads.sh $(if $(FILTER),'$(FILTER)')

test-task-limits: dependencies
	scripts/test-task-limits.sh

clean:
	rm -rf .build .build-arm64 .build-threads .build-packages .build-amd64-static .build-arm64-static .build-amd64-manual
