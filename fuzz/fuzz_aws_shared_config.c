/* The first byte says which of the files it is: 'c' config, anything else credentials. A NUL ends
 * it and starts the other one. */
#include <stdlib.h>
#include <string.h>

#include "aws/shared_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t use(const struct shared_config *c)
{
    size_t bytes = 0;

    for (const struct shared_config_section *s = c->sections; s != NULL; s = s->next) {
        for (const struct shared_config_value *v = s->values; v != NULL; v = v->next) {
            const struct shared_config_value *found = shared_config_value(s, v->name);

            bytes += strlen(v->name) + strlen(v->text) + (found == NULL ? 0 : strlen(found->file));
        }
        if (shared_config_find(c, s->kind, s->name) == NULL) {
            abort();
        }
    }
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shared_config c;
    volatile size_t used;

    if (size == 0) {
        return 0;
    }
    enum shared_config_file which =
        data[0] == 'c' ? SHARED_CONFIG_FILE_CONFIG : SHARED_CONFIG_FILE_CREDENTIALS;
    struct span first = span_of(data + 1, size - 1);
    const uint8_t *nul = first.len == 0 ? NULL : memchr(first.data, '\0', first.len);
    struct span second = {NULL, 0};

    if (nul != NULL) {
        size_t len = (size_t)(nul - first.data);

        second = span_of(nul + 1, first.len - len - 1);
        first.len = len;
    }
    shared_config_init(&c);
    (void)!shared_config_parse(&c, first, which, "first", NULL);
    (void)!shared_config_parse(&c, second,
                               which == SHARED_CONFIG_FILE_CONFIG ? SHARED_CONFIG_FILE_CREDENTIALS
                                                                  : SHARED_CONFIG_FILE_CONFIG,
                               "second", NULL);
    used = use(&c);
    (void)used;
    shared_config_deinit(&c);
    return 0;
}
