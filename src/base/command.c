#include "base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX 64

extern char **environ;

struct words {
    char *text; /* all words, each with its NUL */
    char *items[WORDS_MAX + 1];
    int count;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Takes one word off *p and writes it to *to. False when a quote stays open. */
static bool take_word(const char **p, char **to)
{
    char quote = '\0';

    for (; **p != '\0' && (quote != '\0' || !is_blank(**p)); (*p)++) {
        char c = **p;

        if (c == '\\' && quote != '\'') {
            (*p)++;
            if (**p == '\0') {
                return false;
            }
            *(*to)++ = **p;
        } else if (quote == '\0' && (c == '\'' || c == '"')) {
            quote = c;
        } else if (c == quote) {
            quote = '\0';
        } else {
            *(*to)++ = c;
        }
    }
    *(*to)++ = '\0';
    return quote == '\0';
}

static enum err_code split(const char *command, struct words *out, struct err *e)
{
    char *to = malloc(strlen(command) + 2);

    *out = (struct words){.text = to};
    if (to == NULL) {
        return err_nomem(e);
    }
    for (;;) {
        while (is_blank(*command)) {
            command++;
        }
        if (*command == '\0') {
            break;
        }
        if (out->count == WORDS_MAX) {
            return err_set(e, ERR_CONFIG, "the command has more than %d words", WORDS_MAX);
        }
        out->items[out->count++] = to;
        if (!take_word(&command, &to)) {
            return err_set(e, ERR_CONFIG, "the command ends inside of quotes, or with a backslash");
        }
    }
    return out->count > 0 ? ERR_OK : err_set(e, ERR_CONFIG, "the command has no words");
}

enum err_code command_check(const char *command, struct err *e)
{
    struct words words;
    enum err_code rc = split(command, &words, e);

    free(words.text);
    return rc;
}

/* ---- the process ---- */

/* Our environment with more in front; the texts are ours and the caller's. NULL: no memory. */
static char **join_environment(const char *const *more)
{
    size_t count = 0;
    size_t own = 0;

    while (more != NULL && more[count] != NULL) {
        count++;
    }
    while (environ[own] != NULL) {
        own++;
    }
    char **all = calloc(count + own + 1, sizeof *all);

    for (size_t i = 0; all != NULL && i < count; i++) {
        /* posix_spawn only reads them. */
        memcpy(&all[i], &more[i], sizeof *all);
    }
    for (size_t i = 0; all != NULL && i < own; i++) {
        all[count + i] = environ[i];
    }
    return all;
}

struct spawning {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

/* A group of its own, so that all of it can be ended; signals as a shell gives them. */
static void prepare(struct spawning *s, int pipe_fd)
{
    sigset_t none;
    sigset_t defaults;

    (void)posix_spawn_file_actions_init(&s->actions);
    (void)posix_spawnattr_init(&s->attributes);
    (void)posix_spawn_file_actions_addopen(&s->actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_adddup2(&s->actions, pipe_fd, STDOUT_FILENO);
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)sigaddset(&defaults, SIGINT);
    (void)sigaddset(&defaults, SIGTERM);
    (void)posix_spawnattr_setsigmask(&s->attributes, &none);
    (void)posix_spawnattr_setsigdefault(&s->attributes, &defaults);
    (void)posix_spawnattr_setpgroup(&s->attributes, 0);
    (void)posix_spawnattr_setflags(&s->attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                       POSIX_SPAWN_SETPGROUP);
}

static enum err_code spawn(const struct words *words, const char *const *environment, int pipe_fd,
                           pid_t *pid, struct err *e)
{
    char **env = join_environment(environment);
    struct spawning s;

    if (env == NULL) {
        return err_nomem(e);
    }
    prepare(&s, pipe_fd);
    /* The analyzer does not see that command_output() frees the words. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    int rc = posix_spawnp(pid, words->items[0], &s.actions, &s.attributes, words->items, env);

    (void)posix_spawn_file_actions_destroy(&s.actions);
    (void)posix_spawnattr_destroy(&s.attributes);
    free(env);
    return rc == 0 ? ERR_OK : err_set_os(e, ERR_CONFIG, rc, "starting %s", words->items[0]);
}

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static enum err_code read_all(int fd, const char *name, const struct command_options *o,
                              struct buf *out, struct err *e)
{
    int64_t end_us = now_us() + o->timeout_us;
    size_t total = 0;
    char part[4096];

    for (;;) {
        int64_t left_us = end_us - now_us();
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (left_us <= 0) {
            return err_set(e, ERR_TIMEOUT, "%s took more than %lld s", name,
                           (long long)(o->timeout_us / 1000000));
        }
        if (poll(&p, 1, (int)(left_us / 1000) + 1) <= 0) {
            continue;
        }
        ssize_t got = read(fd, part, sizeof part);

        if (got < 0 && errno != EINTR) {
            return err_set_os(e, ERR_IO, errno, "reading what %s prints", name);
        }
        if (got == 0) {
            return ERR_OK;
        }
        total += got > 0 ? (size_t)got : 0;
        if (total > o->output_bytes_max) {
            return err_set(e, ERR_LIMIT, "%s printed more than %zu bytes", name,
                           o->output_bytes_max);
        }
        if (got > 0) {
            buf_append(out, part, (size_t)got);
        }
    }
}

/* Its end, without waiting longer than it may take: it may close its output and go on. */
static enum err_code wait_end(pid_t pid, const char *name, int64_t end_us, struct err *e)
{
    const struct timespec pause = {.tv_nsec = 5000000};
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        if (now_us() > end_us) {
            return err_set(e, ERR_TIMEOUT, "%s does not end", name);
        }
        (void)nanosleep(&pause, NULL);
    }
    if (ended < 0) {
        return err_set_os(e, ERR_IO, errno, "waiting for %s", name);
    }
    if (WIFSIGNALED(status)) {
        return err_set(e, ERR_IO, "%s was ended by signal %d", name, WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0
               ? ERR_OK
               : err_set(e, ERR_IO, "%s ended with status %d", name, WEXITSTATUS(status));
}

static enum err_code run(const struct words *words, const struct command_options *o,
                         struct buf *out, struct err *e)
{
    int fds[2];
    pid_t pid = 0;
    int64_t end_us = now_us() + o->timeout_us;

    if (pipe(fds) != 0) {
        return err_set_os(e, ERR_IO, errno, "making a pipe");
    }
    (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    enum err_code rc = spawn(words, o->environment, fds[1], &pid, e);

    (void)close(fds[1]);
    if (rc == ERR_OK) {
        rc = read_all(fds[0], words->items[0], o, out, e);
        if (rc == ERR_OK) {
            rc = wait_end(pid, words->items[0], end_us, e);
        }
        if (rc == ERR_TIMEOUT || rc == ERR_LIMIT) {
            (void)kill(-pid, SIGKILL);
            (void)waitpid(pid, NULL, 0);
        }
    }
    (void)close(fds[0]);
    return rc;
}

enum err_code command_output(const char *command, const struct command_options *options,
                             struct buf *out, struct err *e)
{
    struct words words;
    enum err_code rc = split(command, &words, e);

    if (rc == ERR_OK) {
        rc = run(&words, options, out, e);
    }
    free(words.text);
    return rc == ERR_OK ? buf_check(out, e, "a command's output") : rc;
}
