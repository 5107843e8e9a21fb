/*
 * Settings from outside. The first byte says what the rest is: e: .env, y: YAML, u: a source URL,
 * c: lines NAME=value, given as flags where NAME is a setting and as environment variables
 * otherwise.
 */
#include <stdlib.h>

#include "app/config_files.h"
#include "app/config_table.h"
#include "app/source_url.h"

#define LINES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_dotenv(struct span text)
{
    static const char *const process[] = {"A=x", NULL};
    struct config_entries entries = {0};
    struct config_entries warnings = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)!config_dotenv_parse(text, ".env", process, &arena, &entries, &warnings, NULL);
    arena_deinit(&arena);
}

static void fuzz_yaml(struct span text)
{
    struct config_entries entries = {0};
    struct arena arena;

    arena_init(&arena, 0);
    (void)!config_yaml_parse(text, "f", '.', &arena, &entries, NULL);
    arena_deinit(&arena);
}

static void fuzz_url(const char *text)
{
    struct source_url url;
    struct arena arena;

    arena_init(&arena, 0);
    (void)!source_url_parse(text, &arena, &url, NULL);
    (void)source_url_masked(text, &arena);
    arena_deinit(&arena);
}

/* Settings that open a file of any name are left out: a fuzzer finds /dev/tty. */
static bool opens_a_file(const char *line)
{
    return strncmp(line, "mysql.password-file", 19) == 0 || strncmp(line, "HOME=", 5) == 0 ||
           strstr(line, "PASSWORD_FILE") != NULL || strncmp(line, "PYICEBERG_HOME", 14) == 0;
}

static void fuzz_load(char *text)
{
    struct config_flag flags[LINES_MAX];
    const char *variables[LINES_MAX + 1] = {NULL};
    struct config_request request = {.flags = flags,
                                     .folder = "/nonexistent",
                                     .environment = variables,
                                     .no_command = text[0] == '\n'};
    struct config *c = NULL;
    uint32_t variable_count = 0;
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        const struct config_setting *s =
            equals == NULL ? NULL : config_find(span_of(line, (size_t)(equals - line)));

        if (opens_a_file(line) || variable_count == LINES_MAX || request.flag_count == LINES_MAX) {
            continue;
        }
        if (s != NULL) {
            flags[request.flag_count++] = (struct config_flag){.setting = s, .value = equals + 1};
        } else {
            variables[variable_count++] = line;
        }
    }
    if (config_load(&request, &c, NULL) == ERR_OK) {
        struct buf out = {0};

        (void)!config_require(c, CONFIG_NEED_SOURCE | CONFIG_NEED_TABLES | CONFIG_NEED_LAKE, NULL);
        config_print(c, &out);
        buf_deinit(&out);
    }
    config_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = size == 0 ? NULL : calloc(size, 1);

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data + 1, size - 1);
    switch (data[0]) {
    case 'e':
        fuzz_dotenv(span_of(data + 1, size - 1));
        break;
    case 'y':
        fuzz_yaml(span_of(data + 1, size - 1));
        break;
    case 'u':
        fuzz_url(text);
        break;
    case 'c':
        fuzz_load(text);
        break;
    default:
        break;
    }
    free(text);
    return 0;
}
