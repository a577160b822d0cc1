/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker process: reads the command line and the configuration, opens REST, starts the
 * cluster part, waits for a signal, hands everything over and ends. The only file that may
 * include every layer. Main's thread is the only one that sees signals.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include "coordinator/cluster.h"
#include "rest/openapi.h"
#include "rest/password.h"
#include "rest/rest.h"
#include "rest/self_check.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/open_files.h"
#include "worker/http_client.h"
#include "worker/kafka/consumer.h"
#include "worker/kafka/props.h"
#include "worker/mqtt/library.h"
#include "worker/reference.h"
#include "worker/worker_config.h"

extern char **environ;

/* What the command line asks for. */
enum mode {
    MODE_RUN,
    MODE_CHECK,
    MODE_HELP,
    MODE_VERSION,
    MODE_CONFIG,
    MODE_METRICS,
    MODE_OPENAPI,
    MODE_HASH,
    MODE_PROBE,
    MODE_BAD
};

static const struct option long_options[] = {
    { "check", no_argument, NULL, MODE_CHECK },
    { "help", no_argument, NULL, MODE_HELP },
    { "version", no_argument, NULL, MODE_VERSION },
    { "config-reference", no_argument, NULL, MODE_CONFIG },
    { "metrics-reference", no_argument, NULL, MODE_METRICS },
    { "openapi", no_argument, NULL, MODE_OPENAPI },
    { "hash-password", no_argument, NULL, MODE_HASH },
    { "probe", no_argument, NULL, MODE_PROBE },
    { NULL, 0, NULL, 0 },
};

static const char usage[] =
    "Usage: sluice-worker [OPTION] WORKER.PROPERTIES\n"
    "       sluice-worker --probe [WORKER.PROPERTIES] [URL...]\n"
    "\n"
    "Runs one worker of a Sluice cluster, which bridges MQTT brokers and Kafka. Workers with the\n"
    "same group.id share the work; connectors are managed by REST on any of them.\n"
    "\n"
    "  --check              check the configuration, print what is wrong, and end\n"
    "  --config-reference   print all configuration keys as Markdown\n"
    "  --metrics-reference  print all metrics as Markdown\n"
    "  --openapi            print the OpenAPI document of the REST interface\n"
    "  --hash-password      read a password from standard input and print its hash, for a line\n"
    "                       user:hash of rest.auth.password.file\n"
    "  --probe              ask the worker with this configuration on this machine, or each URL, "
    "and\n"
    "                       end with 0 if all is well: for health checks\n"
    "  --version            print the version\n"
    "  --help               print this text\n"
    "\n"
    "A minimal configuration has two lines:\n"
    "  bootstrap.servers=localhost:9092\n"
    "  group.id=sluice\n"
    "The environment variable CONNECT_GROUP_ID sets group.id, and so on for every key; with\n"
    "variables only, WORKER.PROPERTIES may be left out.\n"
    "\n"
    "SIGTERM hands the tasks over to other workers and ends with 0; a second one ends at once.\n";

/* What stops the process: a signal, or an error that cannot be mended while running. */
struct process {
    int fatal_fd;
    char fatal_text[1024];
    struct rest *rest;
    struct cluster *cluster;
};

struct arguments {
    const char *path; /* of the properties; NULL: none */
    char **urls;      /* to probe; NULL-terminated, borrowed from argv */
};

/* Takes apart what is no option: for --probe URLs and a path in any order, else a path. */
static bool parse_words(char **words, enum mode mode, struct arguments *arguments)
{
    int n_paths = 0;
    size_t n_urls = 0;
    arguments->path = NULL;
    arguments->urls = words;
    for (size_t i = 0; words[i]; i++) {
        if (mode == MODE_PROBE && strstr(words[i], "://")) {
            arguments->urls[n_urls++] = words[i];
        } else {
            arguments->path = words[i];
            n_paths++;
        }
    }
    arguments->urls[n_urls] = NULL;
    if (n_paths > 1) {
        fprintf(stderr, "sluice-worker: one properties file expected, got %d; see --help\n",
                n_paths);
    }
    return n_paths <= 1;
}

static enum mode parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    enum mode mode = MODE_RUN;
    int c;
    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (c == '?') {
            return MODE_BAD;
        }
        mode = c == 'h' ? MODE_HELP : (enum mode)c;
    }
    return parse_words(argv + optind, mode, arguments) ? mode : MODE_BAD;
}

static int print_reference(void (*make)(struct buf *))
{
    struct buf text;
    buf_init(&text);
    make(&text);
    bool ok = fputs(buf_text(&text), stdout) >= 0 && fflush(stdout) == 0;
    buf_fini(&text);
    return ok ? 0 : 1;
}

static int print_version(void)
{
    char mqtt[32];
    mqtt_library_version(mqtt, sizeof(mqtt));
    printf("sluice-worker %s (librdkafka %s, libmosquitto %s)\n", SLUICE_VERSION,
           kafka_version_string(), mqtt);
    return 0;
}

/* Switches the terminal's echo; nothing happens where standard input is no terminal. */
static void set_echo(bool on)
{
    struct termios settings;
    if (tcgetattr(STDIN_FILENO, &settings) == 0) {
        settings.c_lflag = on ? settings.c_lflag | ECHO : settings.c_lflag & ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings);
    }
}

static int print_hash(void)
{
    char password[PASSWORD_MAX_BCRYPT + 3];
    char hash[HASH_MAX + 1];
    if (isatty(STDIN_FILENO)) {
        fputs("Password: ", stderr);
    }
    set_echo(false);
    bool got = fgets(password, sizeof(password), stdin) != NULL;
    set_echo(true);
    size_t length = got ? strcspn(password, "\r\n") : 0;
    if (length == 0 || length > PASSWORD_MAX_BCRYPT) {
        fprintf(stderr, "sluice-worker: give a password of 1 to %d bytes on standard input\n",
                PASSWORD_MAX_BCRYPT);
        return 1;
    }
    password[length] = '\0';
    password_hash_make(password, hash);
    explicit_bzero(password, sizeof(password));
    return puts(hash) >= 0 && fflush(stdout) == 0 ? 0 : 1;
}

/* Asks the worker, or each URL; says on standard error what is wrong. */
static int probe(const struct arguments *arguments)
{
    struct kvs props;
    kvs_init(&props);
    struct error error = { ERR_OK, "" };
    log_setup(LOG_WARN, LOG_FORMAT_TEXT);
    http_client_setup();
    enum err err = worker_config_load(arguments->path, environ, &props, &error);
    if (err == ERR_OK && !arguments->urls[0]) {
        err = self_check(&props, NULL, &error);
    }
    for (size_t i = 0; err == ERR_OK && arguments->urls[i]; i++) {
        err = self_check(&props, arguments->urls[i], &error);
    }
    if (err != ERR_OK) {
        fprintf(stderr, "sluice-worker: %s\n", error.text);
    }
    http_client_teardown();
    kvs_fini(&props);
    return err == ERR_OK ? 0 : 1;
}

/* The clients of every role must take the properties: better now than at the first connector. */
static enum err check_clients(const struct kvs *props, struct error *reterr)
{
    enum err err = ERR_OK;
    for (int role = KAFKA_WORKER_PRODUCER; role <= KAFKA_CONNECTOR_ADMIN && err == ERR_OK; role++) {
        struct kvs native;
        struct kvs ignored;
        kvs_init(&native);
        kvs_init(&ignored);
        err = kafka_props_build((enum kafka_role)role, props, NULL, &native, &ignored, reterr);
        if (err == ERR_OK) {
            err = kafka_props_check((enum kafka_role)role, &native, reterr);
        }
        kvs_fini(&native);
        kvs_fini(&ignored);
    }
    return err;
}

static enum err load_config(const char *path, struct kvs *props, struct error *reterr)
{
    enum err err = worker_config_load(path, environ, props, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *level_name = worker_config_text(props, "log.level");
    CLEANUP(free_charp) char *format = worker_config_text(props, "log.format");
    enum log_level level = LOG_INFO;
    (void)log_level_parse(level_name, &level);
    log_setup(level, strcasecmp(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
    err = worker_config_check(props, reterr);
    err = err ? err : rest_check(props, reterr);
    return err ? err : check_clients(props, reterr);
}

/* Secrets must not reach a core file. The limit alone does not hold where cores are piped to a
 * program; what is not dumpable leaves none, and no other process of the same user may look into
 * its memory. */
static void set_limits(void)
{
    struct rlimit none = { 0, 0 };
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)open_files_raise();
    (void)signal(SIGPIPE, SIG_IGN);
#ifndef SLUICE_SANITIZED
    /* The sanitizers look into the process themselves. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    /* An arena for each thread would cost an idle worker megabytes. */
    (void)mallopt(M_ARENA_MAX, 4);
#endif
}

/* Before anything that takes time: process 1 of a container does not get a signal that it neither
 * handles nor blocks, so a SIGTERM would be lost. */
static int block_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    ASSERT(fd >= 0);
    return fd;
}

/* Main's own bound on a stop: whatever still blocks then (a Kafka that does not answer, a library
 * on its way out) holds nothing that a killed worker would lose. */
#define STOP_MARGIN_MS 1000

static volatile sig_atomic_t late_status;

static void end_late(int signal_number UNUSED)
{
    static const char line[] =
        "WARN  WORKER-STOP-LATE task.shutdown.graceful.timeout.ms is over: ending\n";
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(late_status);
}

static void end_at_once(int signal_number)
{
    static const char line[] = "WARN  WORKER-STOP-FORCED second signal: ending without drain\n";
    (void)!write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(128 + signal_number);
}

/* From here on a signal, or the end of the time for a stop, ends the process at once, also while a
 * drain blocks. */
static void bound_stop(const struct kvs *props, int status)
{
    late_status = status;
    struct sigaction late = { .sa_handler = end_late };
    (void)sigaction(SIGALRM, &late, NULL);
    int64_t ms = worker_config_int(props, "task.shutdown.graceful.timeout.ms") + STOP_MARGIN_MS;
    struct itimerval timer = {
        .it_value = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 },
    };
    (void)setitimer(ITIMER_REAL, &timer, NULL);
    struct sigaction action = { .sa_handler = end_at_once };
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Called once, on a thread of the cluster. */
static void on_fatal(void *arg, const char *text)
{
    struct process *process = arg;
    (void)snprintf(process->fatal_text, sizeof(process->fatal_text), "%s", text);
    (void)eventfd_write(process->fatal_fd, 1);
}

/* Waits for a signal or a fatal error; true for the latter. */
static bool wait_for_end(const struct process *process, int signal_fd)
{
    struct pollfd fds[] = {
        { .fd = signal_fd, .events = POLLIN },
        { .fd = process->fatal_fd, .events = POLLIN },
    };
    while (poll(fds, N_ELEMENTS(fds), -1) < 0 && errno == EINTR) {
    }
    if (fds[1].revents & POLLIN) {
        eventfd_t ignored;
        (void)eventfd_read(process->fatal_fd, &ignored);
        return true;
    }
    struct signalfd_siginfo info = { .ssi_signo = 0 };
    (void)!read(signal_fd, &info, sizeof(info));
    log_info(NULL, "WORKER-STOPPING", "signal=%u", info.ssi_signo);
    return false;
}

static enum err start(struct process *process, const struct kvs *props, struct error *reterr)
{
    enum err err = rest_start(props, &process->rest, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct cluster_options options = {
        .props = props,
        .worker_id = rest_worker_id(process->rest),
        .url = rest_url(process->rest),
        .file_check = { rest_check_connector, process->rest },
        .on_fatal = on_fatal,
        .arg = process,
    };
    log_info(NULL, "WORKER-STARTING", "version=%s worker_id=%s url=%s", SLUICE_VERSION,
             options.worker_id, options.url);
    err = cluster_start(&options, &process->cluster, reterr);
    if (err == ERR_OK) {
        rest_set_cluster(process->rest, process->cluster);
    }
    return err;
}

static void warn_limits(void)
{
    uint64_t n = open_files_raise();
    if (n < OPEN_FILES_ENOUGH) {
        log_warn(NULL, "OPEN-FILES-LIMIT-LOW",
                 "limit=%llu recommended=%d effect=\"with many sessions or clients connections and "
                 "tasks fail\" mend=\"raise the hard limit: ulimit -Hn, LimitNOFILE of systemd, "
                 "--ulimit nofile of a container\"",
                 (unsigned long long)n, OPEN_FILES_ENOUGH);
    }
}

static int run(const struct kvs *props, int signal_fd)
{
    struct process process = { .fatal_fd = eventfd(0, EFD_CLOEXEC) };
    ASSERT(process.fatal_fd >= 0);
    http_client_setup();
    warn_limits();
    metric_set(metrics_worker(), METRIC_START_TIME, 0, (double)clock_wall_ms() / 1000.0);
    struct error error = { ERR_OK, "" };
    int status = 0;
    if (start(&process, props, &error) != ERR_OK) {
        log_error(NULL, "WORKER-START-FAILED", "%s", error.text);
        status = 1;
    } else if (wait_for_end(&process, signal_fd)) {
        log_error(NULL, "WORKER-FAILED", "%s", process.fatal_text);
        status = 1;
    }
    bound_stop(props, status);
    if (process.cluster) {
        cluster_drain(process.cluster);
    }
    rest_stop(process.rest);
    cluster_free(process.cluster);
    http_client_teardown();
    (void)close(process.fatal_fd);
    log_info(NULL, "WORKER-STOPPED", "status=%d", status);
    if (kafka_clients_linger()) {
        _exit(status); /* see there */
    }
    return status;
}

static int load_and_run(const char *path, enum mode mode)
{
    if (!path && !getenv("CONNECT_BOOTSTRAP_SERVERS")) {
        fprintf(stderr, "sluice-worker: no properties file given; see --help\n");
        return 1;
    }
    int signal_fd = mode == MODE_RUN ? block_signals() : -1;
    struct kvs props;
    kvs_init(&props);
    struct error error = { ERR_OK, "" };
    int status = 0;
    if (load_config(path, &props, &error) != ERR_OK) {
        log_error(NULL, "CONFIG-INVALID", "%s", error.text);
        status = 1;
    } else if (mode == MODE_CHECK) {
        printf("%s: the configuration is valid\n", path ? path : "environment");
    } else {
        status = run(&props, signal_fd);
    }
    if (signal_fd >= 0) {
        (void)close(signal_fd);
    }
    kvs_fini(&props);
    return status;
}

int main(int argc, char **argv)
{
    set_limits();
    struct arguments arguments = { .path = NULL };
    enum mode mode = parse_arguments(argc, argv, &arguments);
    switch (mode) {
    case MODE_HELP:
        return fputs(usage, stdout) >= 0 ? 0 : 1;
    case MODE_VERSION:
        return print_version();
    case MODE_CONFIG:
        return print_reference(reference_configuration);
    case MODE_METRICS:
        return print_reference(reference_metrics);
    case MODE_OPENAPI:
        return print_reference(openapi_print);
    case MODE_HASH:
        return print_hash();
    case MODE_PROBE:
        return probe(&arguments);
    case MODE_BAD:
        return 1;
    case MODE_RUN:
    case MODE_CHECK:
        return load_and_run(arguments.path, mode);
    }
    return 1;
}
