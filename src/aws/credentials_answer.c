#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/credentials_int.h"
#include "codec/civil_time.h"

static void free_texts(struct credentials *c)
{
    free(c->access_key_id);
    c->access_key_id = NULL;
    secret_wipe(&c->secret_access_key);
    secret_wipe(&c->session_token);
}

void credentials_deinit(struct credentials *c)
{
    free_texts(c);
    *c = (struct credentials){0};
}

void credentials_move(struct credentials *to, struct credentials *from)
{
    credentials_deinit(to);
    *to = *from;
    *from = (struct credentials){0};
}

enum err_code credentials_check_text(const char *text, const char *what, struct err *e)
{
    const char *p = text == NULL ? "" : text;

    if (*p == '\0') {
        return err_set(e, ERR_CONFIG, "the %s is missing", what);
    }
    while (*p > ' ' && *p < 0x7f) {
        p++;
    }
    return *p == '\0' ? ERR_OK
                      : err_set(e, ERR_CONFIG,
                                "there is a blank, a line end or a strange "
                                "character in the %s",
                                what);
}

enum err_code credentials_set(struct credentials *out, const char *access_key_id,
                              const char *secret, const char *token, int64_t expires_us,
                              struct err *e)
{
    bool has_token = token != NULL && token[0] != '\0';

    ERR_TRY(credentials_check_text(access_key_id, "access key id", e));
    ERR_TRY(credentials_check_text(secret, "secret access key", e));
    ERR_TRY(has_token ? credentials_check_text(token, "session token", e) : ERR_OK);
    free_texts(out);
    out->access_key_id = str_dup(access_key_id);
    out->secret_access_key.text = str_dup(secret);
    out->session_token.text = has_token ? str_dup(token) : NULL;
    out->expires_us = expires_us;
    if (out->access_key_id == NULL || out->secret_access_key.text == NULL ||
        (has_token && out->session_token.text == NULL)) {
        return err_nomem(e);
    }
    return ERR_OK;
}

void credentials_set_provider(struct credentials *c, const char *fmt, ...)
{
    va_list args;
    char text[sizeof c->provider];

    /* Formatted aside, because an argument may be the provider's own text. */
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(c->provider, text, sizeof text);
}

/* ---- times ---- */

void credentials_put_time(char out[CREDENTIALS_TIME_TEXT_BYTES], int64_t time_us)
{
    int64_t seconds = time_us / 1000000;
    int64_t days = seconds / 86400;
    int64_t year;
    unsigned month;
    unsigned day;

    seconds -= days * 86400;
    if (seconds < 0) {
        seconds += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    (void)snprintf(out, CREDENTIALS_TIME_TEXT_BYTES, "%04lld-%02u-%02uT%02d:%02d:%02dZ",
                   (long long)year, month, day, (int)(seconds / 3600), (int)(seconds / 60 % 60),
                   (int)(seconds % 60));
}

/* ---- JSON ---- */

enum err_code credentials_parse_json(struct span text, json_t **out, struct err *e)
{
    json_error_t why;

    *out = json_loadb(text.len == 0 ? "" : (const char *)text.data, text.len, 0, &why);
    if (*out == NULL && json_error_code(&why) == json_error_out_of_memory) {
        return err_nomem(e);
    }
    if (*out == NULL) {
        /* why.text shows what is there, which may be a key. */
        return err_set(e, ERR_IO,
                       "expected JSON, found %zu bytes that are not (line %d, column %d)", text.len,
                       why.line, why.column);
    }
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return err_set(e, ERR_IO, "expected a JSON object, found other JSON");
    }
    return ERR_OK;
}

enum err_code credentials_from_json(const json_t *answer, const char *token_name,
                                    struct credentials *out, struct err *e)
{
    const json_t *expiration = json_object_get(answer, "Expiration");
    const char *ends = json_string_value(expiration);
    const char *id = json_string_value(json_object_get(answer, "AccessKeyId"));
    const char *secret = json_string_value(json_object_get(answer, "SecretAccessKey"));
    const json_t *token = json_object_get(answer, token_name);
    int64_t expires_us = INT64_MAX;

    if (id == NULL || secret == NULL) {
        return err_set(e, ERR_IO, "the JSON has no text \"%s\"",
                       id == NULL ? "AccessKeyId" : "SecretAccessKey");
    }
    if (token != NULL && !json_is_null(token) && !json_is_string(token)) {
        return err_set(e, ERR_IO, "the JSON has a \"%s\" that is no text", token_name);
    }
    if (expiration != NULL && !json_is_null(expiration) &&
        (ends == NULL || !civil_time_parse(ends, &expires_us))) {
        return err_set(e, ERR_IO,
                       "the JSON has an \"Expiration\" that is no time: expected "
                       "2026-01-02T03:04:05Z");
    }
    enum err_code rc = credentials_set(out, id, secret, json_string_value(token), expires_us, e);

    if (rc == ERR_CONFIG) {
        rc = err_set(e, ERR_IO, "the JSON is wrong: %s", e == NULL ? "" : e->msg);
    }
    return rc;
}
