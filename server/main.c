/* rectifier COMMAND ...: finds the command, reads its settings, runs it. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cli.h"
#include "server/commands.h"

static const struct srv_command_info commands[] = {
    {"serve",
     SRV_CMD_SERVE,
     "[MODEL...] ",
     "serve models over HTTP",
     "Serve models over HTTP. MODEL is an .onnx file, a folder with model.onnx or with model.json "
     "and model.safetensors, or NAME=PATH; without one the bundled digits network is served.",
     {"rectifier serve", "rectifier serve resnet50.onnx --port 9000",
      "rectifier serve --host 0.0.0.0 --threads 4 cats=models/cats dogs=models/dogs"},
     srv_cmd_serve},
    {"inspect",
     SRV_CMD_INSPECT,
     "MODEL ",
     "layers, shapes, parameters, memory and algorithms of a network",
     "Show a network's layers as they run: shapes, parameters, multiply-accumulates, memory, "
     "algorithms; as a table, as JSON or for Graphviz.",
     {"rectifier inspect digits", "rectifier inspect mymodel/ --batch 8",
      "rectifier inspect net.onnx --shape image=1,3,224,224 --dot | dot -Tsvg > net.svg"},
     srv_cmd_inspect},
    {"infer",
     SRV_CMD_INFER,
     "MODEL [[NAME=]FILE...] ",
     "run a network once on .npy or .json files",
     "Run a network once on .npy or .json files and print the outputs as JSON. A file is for the "
     "input NAME, for the only input, or a request with \"inputs\"; a network without inputs needs "
     "none.",
     {"rectifier infer digits deploy/models/digits/test_images.npy",
      "rectifier infer mymodel/ image=cat.npy -o results",
      "rectifier infer mymodel/ batch.npy --activity --keep activations"},
     srv_cmd_infer},
    {"bench",
     SRV_CMD_BENCH,
     "MODEL ",
     "time a network, and what watching its activations costs",
     "Run a network again and again on random inputs and print the median time; with several "
     "levels of activity, what each costs; with --layers, where the time goes.",
     {"rectifier bench digits --batch 1,8 --threads 1,2", "rectifier bench net.onnx --layers",
      "rectifier bench net.onnx --activity off,unit --seconds 10 --json"},
     srv_cmd_bench},
    {"audit",
     SRV_CMD_AUDIT,
     "MODEL [NAME=]DATA.npy... | --merge URL|FILE... ",
     "which neurons are dead over a data set",
     "Run a network over a data set, of any size, and show which neurons are dead, layer by layer. "
     "With --merge, show the same of what replicas have counted together, and what the network "
     "would save without its dead channels.",
     {"rectifier audit net.onnx images.npy --fail-on dying --fail-on sparsity=0.95",
      "rectifier audit net.onnx heldout.npy --write-baseline net.baseline.json",
      "rectifier audit --merge http://10.0.0.1:8080/v2/models/net saved.json"},
     srv_cmd_audit},
    {"init",
     SRV_CMD_INIT,
     "MODEL.json OUT.safetensors ",
     "write initial weights for a model.json",
     "Write initial weights for a network, as its \"init\" says (else Kaiming); the same seed "
     "gives the same weights everywhere.",
     {"rectifier init model.json model.safetensors --seed 1", NULL, NULL},
     srv_cmd_init},
    {"health",
     SRV_CMD_HEALTH,
     "[URL] ",
     "exit with 0 when the server is ready",
     "Exit with 0 when the server is ready, else 1; for container health checks.",
     {"rectifier health", "rectifier health http://127.0.0.1:9000", "rectifier health --port 9000"},
     srv_cmd_health},
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static int __attribute__((format(printf, 2, 0))) fail(int code, const char *fmt, va_list args)
{
    fputs("rectifier: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    return code;
}

int srv_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int code = fail(SRV_EXIT_FAILURE, fmt, args);
    va_end(args);
    return code;
}

int srv_usage(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int code = fail(SRV_EXIT_USAGE, fmt, args);
    va_end(args);
    return code;
}

static void print_overview(FILE *to)
{
    fputs("Usage: rectifier COMMAND [options]\n\n"
          "Serves convolutional and fully connected networks over HTTP and shows\n"
          "which of their neurons are awake.\n\nCommands:\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].brief);
    fputs("\n'rectifier COMMAND --help' explains each; 'rectifier --version' prints the version.\n",
          to);
}

static const char *command_name_at(void *arg, size_t i)
{
    (void)arg;
    return i < N_COMMANDS ? commands[i].name : NULL;
}

static const struct srv_command_info *find_command(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *near = srv_did_you_mean(name, command_name_at, NULL);
    if (near)
        return srv_usage("unknown command '%.40s'; did you mean %s?", name, near);
    return srv_usage("unknown command '%.40s'; try 'rectifier help'", name);
}

/* The engine reads RECTIFIER_ISA when first used, but OpenBLAS chooses its kernels before main():
 * to cap them the program must start again, once. */
static void apply_isa(int isa, char **argv)
{
    static const char *const ours[] = {"auto", "base", "avx2", "avx512"};
    static const char *const theirs[] = {NULL, "Nehalem", "Haswell", NULL};
    if (isa == SRV_ISA_AUTO) {
        unsetenv("RECTIFIER_ISA");
        return;
    }
    setenv("RECTIFIER_ISA", ours[isa], 1);
    if (!theirs[isa] || getenv("OPENBLAS_CORETYPE"))
        return;
    setenv("OPENBLAS_CORETYPE", theirs[isa], 1);
    execv("/proc/self/exe", argv);
    /* Without /proc OpenBLAS keeps its choice; the log's first line shows it. */
}

/* The engine reads these when it is first used. */
static void apply_engine(const struct srv_config *config)
{
    static const char *const gemm[] = {"auto", "openblas"};
    static const char *const conv[] = {"auto", "accurate", "direct"};
    setenv("RECTIFIER_GEMM", gemm[config->gemm], 1);
    setenv("RECTIFIER_CONV", conv[config->conv], 1);
}

static int run_command(const struct srv_command_info *command, int argc, char **argv)
{
    struct srv_config config;
    if (!srv_cli_parse(&config, command, argc - 2, argv + 2))
        return SRV_EXIT_USAGE;
    if (config.help) {
        srv_cli_help(command);
        return SRV_EXIT_OK;
    }
    if (config.print_config) {
        srv_cli_print_config(&config, command);
        return SRV_EXIT_OK;
    }
    apply_engine(&config);
    apply_isa(config.isa, argv);
    return command->run(&config);
}

/* A closed descriptor 0, 1 or 2 would be given to the next socket, and the log written into it. */
static void open_standard_fds(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int main(int argc, char **argv)
{
    open_standard_fds();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        puts("rectifier " RF_VERSION);
        return SRV_EXIT_OK;
    }
    const bool help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (help && argc == 2)) {
        print_overview(stdout);
        return SRV_EXIT_OK;
    }
    if (!*name) {
        print_overview(stderr);
        return SRV_EXIT_USAGE;
    }
    const struct srv_command_info *command = find_command(help ? argv[2] : name);
    if (!command)
        return unknown_command(help ? argv[2] : name);
    if (help) {
        srv_cli_help(command);
        return SRV_EXIT_OK;
    }
    return run_command(command, argc, argv);
}
