# quell: build, test, install. `make help` lists the targets and the variables worth setting.

VERSION := $(shell cat VERSION)
CC      ?= cc
CXX     ?= c++
AR      ?= ar
PYTHON  ?= python3
BUILD   ?= build
CFLAGS  ?= -O3 -g
PREFIX  ?= /usr/local
prefix  ?= $(PREFIX)
DESTDIR ?=

bindir     = $(prefix)/bin
libdir     = $(prefix)/lib
includedir = $(prefix)/include
mandir     = $(prefix)/share/man
bashcompdir = $(prefix)/share/bash-completion/completions
zshcompdir  = $(prefix)/share/zsh/site-functions
fishcompdir = $(prefix)/share/fish/vendor_completions.d

# Homebrew keeps these libraries out of the default search paths; Apple's clang needs libomp named.
OPENMP_CFLAGS := -fopenmp
OPENMP_LIBS   :=
PKG_CONFIG    ?= pkg-config
ifeq ($(shell uname -s),Darwin)
BREW := $(shell brew --prefix 2>/dev/null)
PKG_CONFIG := PKG_CONFIG_PATH=$(BREW)/opt/openblas/lib/pkgconfig:$(BREW)/opt/zlib/lib/pkgconfig:$(PKG_CONFIG_PATH) $(PKG_CONFIG)
OPENMP_CFLAGS := -Xpreprocessor -fopenmp -I$(BREW)/opt/libomp/include
OPENMP_LIBS   := -L$(BREW)/opt/libomp/lib -lomp
endif

# Asked of pkg-config while this file is read: empty before `make deps` has run, so every target
# that installs first and builds then starts make again in between.
# HDF5: the serial library by preference; `hdf5` alone may be an MPI build.
pc = $(shell $(PKG_CONFIG) $(1) 2>/dev/null || echo $(2))
HDF5_PC     := $(shell $(PKG_CONFIG) --exists hdf5-serial 2>/dev/null && echo hdf5-serial || echo hdf5)
DEFLATE     := $(shell $(PKG_CONFIG) --exists libdeflate 2>/dev/null && echo 1)
# igraph: clusters of a graph of neighbours. `make IGRAPH=` builds without it.
IGRAPH      ?= $(shell $(PKG_CONFIG) --exists 'igraph >= 0.10' 2>/dev/null && echo 1)
IGRAPH_LIBS := $(call pc,--libs igraph,-ligraph)
# `make static`: with what an archive of igraph needs, if all of it is there.
ifdef STATIC
archive      = $(if $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l$(1))
override IGRAPH := $(and $(IGRAPH),$(call archive,igraph),$(call archive,arpack),$(call archive,lapack),1)
IGRAPH_LIBS := -ligraph -larpack -llapack -lblas -lgfortran $(call archive,quadmath)
endif
LIB_CFLAGS  := $(call pc,--cflags $(HDF5_PC)) $(call pc,--cflags cmocka) \
               $(if $(DEFLATE),-DQL_HAVE_LIBDEFLATE $(call pc,--cflags libdeflate)) \
               $(if $(IGRAPH),-DQL_HAVE_IGRAPH $(patsubst -I%,-isystem%,$(call pc,--cflags igraph)))
HDF5_LIBS   := $(call pc,--libs $(HDF5_PC),-lhdf5) $(if $(DEFLATE),$(call pc,--libs libdeflate)) -lz
ENGINE_LIBS := $(if $(IGRAPH),$(IGRAPH_LIBS)) $(OPENMP_LIBS) -lm -lpthread
BLAS_LIBS    = $(call pc,--libs openblas,-lopenblas)
CMOCKA_LIBS := $(call pc,--libs cmocka,-lcmocka)
LIBS         = $(HDF5_LIBS) $(STATIC_LIBS) $(ENGINE_LIBS)

# `make static`: what a static libhdf5 needs besides zlib, as far as it is there. Its S3 driver, which
# would want curl and OpenSSL, is not linked, because nothing calls it.
ifdef STATIC
STATIC_LIBS := -static $(call archive,sz) $(call archive,aec) -lz -ldl
endif

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
WARN += $(if $(filter 1 true,$(CI) $(WERROR)),-Werror)
# -ffp-contract=off: a product and a sum are fused only where the source says fma (docs/determinism.md)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DH5_USE_110_API -DQL_VERSION='"$(VERSION)"' \
             -Iinclude $(LIB_CFLAGS) -ffp-contract=off -fno-math-errno -fno-trapping-math $(OPENMP_CFLAGS) $(WARN) \
             $(if $(STATIC),-DQL_STATIC) $(CPPFLAGS) $(CFLAGS)

ARCH := $(patsubst arm64,aarch64,$(shell $(CC) -dumpmachine | cut -d- -f1))
LAYERS        := base mat kern nn io model train infer space draw cli cmd
ENGINE_LAYERS := base mat kern nn model train infer space
KERN_ISA          := %_avx2.c %_avx512.c %_neon.c
KERN_SKIP_x86_64  := %_neon.c
KERN_SKIP_aarch64 := %_avx2.c %_avx512.c

sources = $(foreach l,$(1),$(sort $(wildcard src/$(l)/*.c src/$(l)/*/*.c)))
SRC     := $(filter-out $(or $(KERN_SKIP_$(ARCH)),$(KERN_ISA)),$(call sources,$(LAYERS)))
SRC64   := $(filter-out $(KERN_ISA),$(call sources,$(ENGINE_LAYERS)))
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
OBJ64   := $(SRC64:%.c=$(BUILD)/f64/%.o)
APP     := $(patsubst %.c,$(BUILD)/%.o,$(call sources,app))
TESTS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c tests/unit/test64_*.c)))
HEADERS := $(sort $(wildcard include/quell/*.h))

all: $(BUILD)/quell $(BUILD)/libquell.a ## build the program and the library (the default)

# --- compiling -------------------------------------------------------------------------------

COMPILE = $(CC) $(ALL_CFLAGS) $(ISA_CFLAGS) $(FILE_CFLAGS) -MMD -MP -c $< -o $@

# One short line per step; `make V=1` shows the commands.
Q   = $(if $(V),,@)
say = @$(if $(V),:,printf '  %-4s %s\n' $(1) $@)

# Everything depends on this file; it changes when the compiler, its flags or the version do.
quote = '$(subst ','\'',$(1))'
$(BUILD)/.flags: FORCE
	@mkdir -p $(@D)
	@{ $(CC) --version | head -n 1; \
	   printf '%s\n' $(call quote,$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LIBS)); } > $@.now
	@cmp -s $@.now $@ && rm -f $@.now || { CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' sh tools/install-deps.sh --hint build; mv -f $@.now $@; }

# Only what says it is compiled anew after a commit.
SOURCE_ID := $(shell sh tools/source-id.sh)
$(BUILD)/.source: FORCE
	@mkdir -p $(@D)
	@echo '$(SOURCE_ID)' | cmp -s - $@ || echo '$(SOURCE_ID)' > $@

$(BUILD)/src/app/source_id.o: $(BUILD)/.source
$(BUILD)/src/app/source_id.o: FILE_CFLAGS := -DQL_SOURCE_ID='"$(SOURCE_ID)"'

$(BUILD)/src/kern/%_avx2.o $(BUILD)/tidy/src/kern/%_avx2.ok: ISA_CFLAGS := -mavx2 -mfma
$(BUILD)/src/kern/%_avx512.o $(BUILD)/tidy/src/kern/%_avx512.ok: ISA_CFLAGS := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
# Older compilers do not know these; the file then compiles to nothing.
BF16_CFLAGS := -mavx512bf16 -mamx-tile -mamx-bf16
$(BUILD)/src/kern/gemm_bf16_avx512.o: ISA_CFLAGS += $(shell echo | $(CC) $(BF16_CFLAGS) -E - >/dev/null 2>&1 && echo $(BF16_CFLAGS))

$(BUILD)/src/%.o: src/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE)

$(BUILD)/libquell.a: $(OBJ)
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/quell: $(APP) $(BUILD)/libquell.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@

# The engine once more in float64, scalar kernels only: what gradients are checked on.
$(BUILD)/f64/src/%.o: src/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) -DQL_REAL_IS_DOUBLE

$(BUILD)/libquell64.a: $(OBJ64)
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/test64_%.o: TEST_DEFINES := -DQL_REAL_IS_DOUBLE

$(BUILD)/tests/%.o: tests/unit/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE) $(TEST_DEFINES) -Itests/unit

# The targets of the fuzzer; test_fuzz replays the kept corpus with any compiler.
FUZZ_OBJ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%.o,$(filter-out tests/fuzz/fuzz_main.c tests/fuzz/libfuzzer.c,\
            $(sort $(wildcard tests/fuzz/*.c)))) $(BUILD)/src/app/commands.o
TESTS    += $(BUILD)/tests/test_fuzz

$(BUILD)/fuzz/%.o: tests/fuzz/%.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(COMPILE)

$(BUILD)/tests/test_fuzz: $(BUILD)/fuzz/fuzz_main.o $(FUZZ_OBJ) $(BUILD)/libquell.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) $(CMOCKA_LIBS) -o $@

$(BUILD)/fuzz/libfuzzer: $(BUILD)/fuzz/libfuzzer.o $(FUZZ_OBJ) $(BUILD)/libquell.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fsanitize=fuzzer $^ $(LIBS) -o $@

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(BUILD)/libquell.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(LIBS) $(CMOCKA_LIBS) -o $@

# No HDF5 here: that it links shows that the engine needs none.
$(BUILD)/tests/test64_%: $(BUILD)/tests/test64_%.o $(BUILD)/libquell64.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $^ $(ENGINE_LIBS) $(CMOCKA_LIBS) -o $@

$(BUILD)/bench/sgemm_bench: ENGINE_LIBS += $(BLAS_LIBS)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/libquell.a $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(findstring sgemm,$@),$(call pc,--cflags openblas)) $(LDFLAGS) $< $(BUILD)/libquell.a $(LIBS) -o $@

# --- what the program needs ------------------------------------------------------------------

# Not in $(BUILD): every build shares them.
VENV   ?= build/venv
VENV08 ?= build/venv08
VENV_FLOWS ?= build/venv-workflows

deps: deps-all venvs ## install what is missing: libraries (apt), Python packages for the tests

deps-build deps-all deps-bench deps-workflows deps-slurm:
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' sh tools/install-deps.sh $(@:deps-%=%)

venvs: venv-tests venv-anndata08

venv-tests: deps-all
	@sh tools/make-venv.sh --python '$(PYTHON)' $(VENV) tests/python/requirements.txt

venv-anndata08: deps-all
	@sh tools/make-venv.sh --python '$(PYTHON)' --optional $(VENV08) tests/python/requirements-anndata08.txt

# --- trying and testing ----------------------------------------------------------------------

# Start make again, after an installation: with all processors unless -j was given.
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
export JOBS
AGAIN = $(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

demo: deps-build ## install, build, denoise the example data
	@$(AGAIN) all
	@mkdir -p $(BUILD)/demo
	$(BUILD)/quell denoise example_data/pbmc_small.h5 -o $(BUILD)/demo/pbmc_small.denoised.h5ad --seed 1 --force

SUITES ?= unit cli python

# What comes from PyPI is fetched while the program is compiled.
check: deps-all ## install, build, run every test
	@rm -rf $(BUILD)/results
	@$(AGAIN) venvs & venvs=$$!; $(AGAIN) all tests; built=$$?; wait $$venvs && test $$built -eq 0
	@failed=; for suite in $(SUITES); do \
	    $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"; done; \
	sh tests/tools/report.sh $(BUILD)/results; test -z "$$failed"

tests: $(TESTS)

export QUELL = $(abspath $(BUILD)/quell)
# Files that unit tests write for the tests in Python to read.
export QUELL_TEST_FILES = $(abspath $(BUILD)/samples)

unit: $(TESTS) ## run the unit tests
	@rm -rf $(QUELL_TEST_FILES) && mkdir -p $(QUELL_TEST_FILES)
	@sh tests/tools/run-unit.sh $(BUILD)/results/unit $(TESTS)

cli: $(BUILD)/quell ## run the tests of the command line
	@sh tests/tools/run-script.sh $(BUILD)/results/cli bash tests/cli/run.sh

# Every file with the current anndata, the files named test_anndata* with the oldest supported one too.
python: $(BUILD)/quell ## run the tests in Python (after `make deps`)
	@sh tests/tools/run-pytest.sh $(BUILD)/results/python $(VENV) tests/python
	@sh tests/tools/run-pytest.sh $(BUILD)/results/python-anndata08 $(VENV08) tests/python/test_anndata*.py

# Not in `make check`: installs workflow engines (Snakemake and what the workflows call from PyPI,
# Nextflow from Maven Central, the Snakemake of Debian), once.
NEXTFLOW   ?= build/nextflow/nextflow
SNAKEMAKE7 ?= /usr/bin/snakemake
FLOW_TESTS  = sh tests/tools/run-pytest.sh $(BUILD)/results/$@ $(VENV_FLOWS)

workflows: venv-workflows ## run the workflows for real: Snakemake 9 and 7, Nextflow
	@rm -rf $(BUILD)/results/workflows*
	@$(AGAIN) all
	@failed=; for suite in workflows-engines workflows-tools workflows-snakemake workflows-snakemake7 workflows-nextflow; do \
	    $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"; \
	done; sh tests/tools/report.sh $(BUILD)/results; test -z "$$failed"

venv-workflows: deps-all deps-workflows
	@sh tools/make-venv.sh --python '$(PYTHON)' $(VENV_FLOWS) tests/workflows/requirements.txt

nextflow:
	@sh tools/get-nextflow.sh $(dir $(NEXTFLOW))

workflows-engines workflows-nextflow workflows-slurm: export NEXTFLOW := $(abspath $(NEXTFLOW))
workflows-engines: export SNAKEMAKE7 := $(SNAKEMAKE7)

workflows-engines: $(BUILD)/quell nextflow
	@$(FLOW_TESTS) tests/workflows/test_engines.py

# What `make check` leaves out, as it has neither MultiQC nor scanpy and its kin.
workflows-tools: $(BUILD)/quell
	@$(FLOW_TESTS) tests/python/test_mqc.py tests/python/test_cookbook.py tests/python/test_space.py tests/python/test_generative.py -k \
	    'multiqc or scanpy or leidenalg or layout_keeps'

workflows-snakemake: $(BUILD)/quell
	@$(FLOW_TESTS) tests/workflows/test_snakemake.py

# What may differ between its versions.
workflows-snakemake7: $(BUILD)/quell
	@SNAKEMAKE='$(SNAKEMAKE7)' $(FLOW_TESTS) tests/workflows/test_snakemake.py -k \
	    'lint or wrapper or too_little or terminated or bad_data or stopped_shard'

workflows-nextflow: $(BUILD)/quell nextflow
	@$(FLOW_TESTS) tests/workflows/test_nextflow.py

workflows-slurm: venv-workflows deps-slurm nextflow ## run them on a Slurm of this one machine (Debian's slurm-wlm)
	@$(AGAIN) all
	@JOBS=1 $(FLOW_TESTS) tests/workflows/test_slurm.py

# Inputs that are broken, outputs that fail: the part of the tests in Python that is worth the sanitizers.
broken: $(BUILD)/quell
	@sh tests/tools/run-pytest.sh $(BUILD)/results/broken $(VENV) \
	    tests/python/test_bad_inputs.py tests/python/test_broken_files.py tests/python/test_outputs.py \
	    tests/python/test_broken_models.py

ASAN_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

asan: ## run the tests in C, of the command line and of broken inputs under ASan and UBSan
	@rm -rf build-asan/results
	@$(AGAIN) BUILD=build-asan CFLAGS='$(ASAN_CFLAGS)' all tests
	@failed=; for suite in unit cli broken; do \
	    $(MAKE) --no-print-directory BUILD=build-asan CFLAGS='$(ASAN_CFLAGS)' $$suite || failed="$$failed $$suite"; \
	done; sh tests/tools/report.sh build-asan/results; test -z "$$failed"

# Clang without OpenMP's library will do: inputs are small, one thread reads them.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
FUZZ_CFLAGS  := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_MAKE     = $(AGAIN) BUILD=build-fuzz CC='$(FUZZ_CC)' CFLAGS='$(FUZZ_CFLAGS)' \
                OPENMP_CFLAGS='-Itests/fuzz/serial -Wno-unknown-pragmas' OPENMP_LIBS=

fuzz: ## feed readers and option tables made-up inputs (needs clang; FUZZ_SECONDS=60 each, FUZZ_TARGETS='options read-mtx')
	@$(FUZZ_MAKE) build-fuzz/fuzz/libfuzzer build-fuzz/tests/test_fuzz
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' sh tests/fuzz/run.sh build-fuzz $(FUZZ_TARGETS)

BENCH_ARGS ?=
BENCH_PYTHON ?= $(VENV)/bin/python

bench: deps-bench all $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c)) ## measure the speed, as ratios (BENCH_ARGS='--only threads'; peers as BENCH_PYTHON has them)
	$(BENCH_PYTHON) tests/bench/bench.py --build $(BUILD) --data $(BUILD)/bench/data $(BENCH_ARGS)

# Not in `make check`: installs scvi-tools and PyTorch, and takes hours. What is measured already, in
# $(BUILD)/quality/results.jsonl, is not measured again.
VENV_QUALITY ?= build/venv-quality
QUALITY_ARGS ?=

quality: deps-build ## compare with scvi-tools, MAGIC, DCA, NMF over 5 splits (hours; QUALITY_ARGS='--sets sim_noisy --splits 1')
	@$(AGAIN) all
	@sh tools/make-venv.sh --python '$(PYTHON)' $(VENV_QUALITY) tests/quality/requirements.txt
	@$(VENV_QUALITY)/bin/python tests/quality/simulate.py $(BUILD)/quality/data
	@$(VENV_QUALITY)/bin/python tests/quality/quality.py run --quell $(QUELL) --work $(BUILD)/quality \
	    --data $(if $(QUELL_SHARED),'$(QUELL_SHARED)/data') $(BUILD)/quality/data $(QUALITY_ARGS)
	@$(VENV_QUALITY)/bin/python tests/quality/quality.py show --work $(BUILD)/quality

check-neon: ## run the 64-bit Arm kernels under an emulator: same bits (long checks, needs qemu-user)
	BUILD=$(BUILD) bash tests/tools/check-neon.sh

check-races: ## run the engine's threads under the thread sanitizer (long checks)
	BUILD=$(BUILD) bash tests/tools/check-races.sh

mutants: ## make the mistakes of tests/tools/mutants.txt one by one: do the tests notice? (long; MUTANTS=WORD for some)
	@$(PYTHON) -B tests/tools/mutants.py --python '$(abspath $(VENV))/bin/python' --only '$(MUTANTS)'

COVERAGE_MAKE = $(MAKE) --no-print-directory BUILD=build-coverage CFLAGS='-O1 -g --coverage -fprofile-update=atomic'

coverage: ## say which share of the lines and branches the tests run, by folder (long; SUITES=unit for some; needs gcov)
	@rm -rf build-coverage/results; if [ -d build-coverage ]; then find build-coverage -name '*.gcda' -delete; fi
	@$(COVERAGE_MAKE) -j$(JOBS) all tests
	@for suite in $(SUITES); do $(COVERAGE_MAKE) $$suite || exit 1; done
	@$(PYTHON) -B tests/tools/coverage.py build-coverage

lint: check-layers ## check layers, headers, banned functions, sizes, format, links
	@sh tests/lint/check-banned.sh
	@sh tests/lint/check-sizes.sh
	@CC='$(CC)' CXX='$(CXX)' FLAGS='$(LIB_CFLAGS)' sh tests/lint/check-headers.sh
	@sh tests/lint/check-format.sh
	@sh tests/lint/check-links.sh
	@sh tests/lint/check-version.sh
	@sh tests/lint/self-test.sh

# A file is looked at again when it, a header or the checks have changed. Clang without OpenMP's library
# will do here too.
TIDY      ?= clang-tidy
TIDY_DONE := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(SRC) $(call sources,app))
TIDY_FLAGS = $(filter-out -fopenmp $(WARN),$(ALL_CFLAGS)) -DQL_SOURCE_ID='""' -Itests/fuzz/serial -D_OPENMP=201511

tidy: ## look for mistakes in src with clang-tidy, as .clang-tidy says (minutes; not part of `make check` or `make lint`)
	@$(AGAIN) --keep-going $(TIDY_DONE) && echo 'tidy: nothing found'

$(BUILD)/tidy/%.ok: %.c .clang-tidy $(HEADERS) $(wildcard src/*/*.h src/*/*/*.h)
	@mkdir -p $(@D)
	$(Q)$(TIDY) --quiet --warnings-as-errors='*' $< -- $(TIDY_FLAGS) $(ISA_CFLAGS) 2>/dev/null && touch $@

format: ## put sources and tests into the form that .clang-format says
	@find src include tests -name '*.[ch]' -exec $${CLANG_FORMAT:-clang-format} -i {} +

check-layers: ## check that includes point down only
	@sh tests/lint/check-layers.sh

# --- documentation, installing, releasing -------------------------------------------------------

# One man page per command, and one for the program, printed by the program itself.
MAN_PAGES = quell $(patsubst src/cmd/cmd_%.c,quell-%,$(sort $(wildcard src/cmd/cmd_*.c)))

man: $(BUILD)/quell
	@mkdir -p $(BUILD)/man
	@for page in $(MAN_PAGES); do \
	    $(BUILD)/quell help $$(echo $$page | sed 's/^quell-*//') --format man > $(BUILD)/man/$$page.1 || exit 1; done

docs: man ## renew docs/options.md and the table in README.md; man pages (in $(BUILD)/man)
	@sh tools/make-option-docs.sh $(BUILD)/quell

figure: $(BUILD)/quell ## draw docs/denoising.png anew (PYTHON needs numpy, h5py, matplotlib)
	$(PYTHON) tools/make-figure.py --quell $(BUILD)/quell

$(BUILD)/quell.pc: FORCE
	@{ echo 'prefix=$(prefix)'; echo 'libdir=$(libdir)'; echo 'includedir=$(includedir)'; echo; \
	   echo 'Name: quell'; echo 'Description: autoencoders for single-cell counts'; echo 'Version: $(VERSION)'; \
	   echo 'Cflags: -I$${includedir}'; echo 'Libs: -L$${libdir} -lquell $(LIBS) $(OPENMP_CFLAGS)'; } > $@

# Completions, under the names the shells look for.
COMPLETIONS = $(BUILD)/completions/quell $(BUILD)/completions/_quell $(BUILD)/completions/quell.fish

completions: $(BUILD)/quell
	@mkdir -p $(BUILD)/completions
	@$(BUILD)/quell help --format bash > $(BUILD)/completions/quell
	@$(BUILD)/quell help --format zsh > $(BUILD)/completions/_quell
	@$(BUILD)/quell help --format fish > $(BUILD)/completions/quell.fish

INSTALL ?= install

install-program: all man completions ## install the program, its man pages and completions only
	$(INSTALL) -d $(addprefix $(DESTDIR),$(bindir) $(mandir)/man1 $(bashcompdir) $(zshcompdir) $(fishcompdir))
	$(INSTALL) -m 755 $(BUILD)/quell $(DESTDIR)$(bindir)/quell
	$(INSTALL) -m 644 $(MAN_PAGES:%=$(BUILD)/man/%.1) $(DESTDIR)$(mandir)/man1
	$(INSTALL) -m 644 $(BUILD)/completions/quell $(DESTDIR)$(bashcompdir)/quell
	$(INSTALL) -m 644 $(BUILD)/completions/_quell $(DESTDIR)$(zshcompdir)/_quell
	$(INSTALL) -m 644 $(BUILD)/completions/quell.fish $(DESTDIR)$(fishcompdir)/quell.fish

install: install-program $(BUILD)/quell.pc ## install under PREFIX (with DESTDIR in front)
	$(INSTALL) -d $(DESTDIR)$(libdir)/pkgconfig $(DESTDIR)$(includedir)/quell
	$(INSTALL) -m 644 $(BUILD)/libquell.a $(DESTDIR)$(libdir)/libquell.a
	$(INSTALL) -m 644 $(BUILD)/quell.pc $(DESTDIR)$(libdir)/pkgconfig/quell.pc
	$(INSTALL) -m 644 $(HEADERS) $(DESTDIR)$(includedir)/quell

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(bindir)/quell $(DESTDIR)$(libdir)/libquell.a $(DESTDIR)$(libdir)/pkgconfig/quell.pc
	rm -f $(addprefix $(DESTDIR)$(mandir)/man1/,$(addsuffix .1,$(MAN_PAGES)))
	rm -f $(DESTDIR)$(bashcompdir)/quell $(DESTDIR)$(zshcompdir)/_quell $(DESTDIR)$(fishcompdir)/quell.fish
	rm -rf $(DESTDIR)$(includedir)/quell

# Reproducible: the same commit gives the same bytes.
dist: ## make the source archive of the last commit (in $(BUILD))
	@rm -rf $(BUILD)/dist && mkdir -p $(BUILD)/dist
	@git archive --format=tar --prefix=quell-$(VERSION)/ HEAD | tar -xf - -C $(BUILD)/dist
	@sh tools/pack.sh $(BUILD)/dist quell-$(VERSION) $(BUILD)/quell-$(VERSION).tar.gz
	@rm -rf $(BUILD)/dist

distcheck: dist ## unpack that archive, build it, denoise, install, pack again: the same bytes
	@PYTHON='$(PYTHON)' JOBS='$(JOBS)' sh tools/distcheck.sh $(BUILD)/quell-$(VERSION).tar.gz

# For any Linux with this processor: no library is needed where it runs.
static: ## build a static program and pack it (in build-static; needs the static libraries)
	@$(AGAIN) BUILD=build-static STATIC=1 static-archive

STATIC_NAME = quell-$(VERSION)-linux-$(ARCH)
STATIC_DEBS = libhdf5-dev zlib1g-dev libdeflate-dev libaec-dev libc6-dev libgomp1 libigraph-dev libarpack2-dev liblapack-dev libgfortran5

static-archive:
	@rm -rf $(BUILD)/pack
	@$(MAKE) --no-print-directory DESTDIR=$(BUILD)/pack/$(STATIC_NAME) prefix= install-program >/dev/null
	@strip $(BUILD)/pack/$(STATIC_NAME)/bin/quell
	@sh tools/check-static.sh $(BUILD)/pack/$(STATIC_NAME)/bin/quell build/quell
	@cp LICENSE README.md CITATION.cff $(BUILD)/pack/$(STATIC_NAME)
	@mkdir $(BUILD)/pack/$(STATIC_NAME)/licenses
	@for lib in $(STATIC_DEBS); do f=/usr/share/doc/$$lib/copyright; \
	    if [ -f $$f ]; then cp $$f $(BUILD)/pack/$(STATIC_NAME)/licenses/$$lib.txt; fi; done
	@sh tools/pack.sh $(BUILD)/pack $(STATIC_NAME) $(BUILD)/$(STATIC_NAME).tar.gz

clean: ## remove what was built (keeps the Python packages)
	rm -rf build-asan build-coverage build-fuzz build-mutants build-static
	@test ! -d $(BUILD) || find $(BUILD) -mindepth 1 -maxdepth 1 ! -name 'venv*' ! -name nextflow -exec rm -rf {} +

distclean: clean ## remove the Python packages too
	rm -rf $(BUILD) $(VENV) $(VENV08) $(VENV_FLOWS)

help: ## print this list
	@echo 'targets:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/\$$\(BUILD\)/, "$(BUILD)"); printf "  %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'variables (NAME=value): CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR BUILD PYTHON WERROR=1 V=1 JOBS IGRAPH='

FORCE:
-include $(OBJ:.o=.d) $(OBJ64:.o=.d) $(APP:.o=.d) $(TESTS:=.d) $(FUZZ_OBJ:.o=.d)
.PHONY: bench tidy format quality fuzz check-neon check-races FORCE all deps deps-build deps-all deps-bench deps-workflows deps-slurm venvs venv-tests venv-anndata08 venv-workflows demo check tests unit cli python \
        workflows workflows-engines workflows-tools workflows-snakemake workflows-snakemake7 workflows-nextflow workflows-slurm nextflow broken asan mutants coverage lint check-layers \
        man completions docs figure install install-program uninstall dist distcheck static static-archive clean distclean help
.SECONDARY:
.DELETE_ON_ERROR:
