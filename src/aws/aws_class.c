#include "aws/aws_int.h"
#include "base/str.h"
#include "codec/civil_time.h"

#define US_PER_S       INT64_C(1000000)
#define RETRY_AFTER_US (86400 * US_PER_S)

/* ---- codes ---- */

struct known_code {
    const char *code;
    enum aws_class class;
    bool no_effect;
};

static const struct known_code known_codes[] = {
    {"ExpiredToken", AWS_CLASS_EXPIRED, true},
    {"ExpiredTokenException", AWS_CLASS_EXPIRED, true},
    {"TokenRefreshRequired", AWS_CLASS_EXPIRED, true},

    {"RequestTimeTooSkewed", AWS_CLASS_SKEWED, true},
    {"RequestExpired", AWS_CLASS_SKEWED, true},
    {"RequestInTheFuture", AWS_CLASS_SKEWED, true},

    {"PermanentRedirect", AWS_CLASS_REGION, true},
    {"TemporaryRedirect", AWS_CLASS_REGION, true},
    {"Redirect", AWS_CLASS_REGION, true},
    {"AuthorizationHeaderMalformed", AWS_CLASS_REGION, true},
    {"IllegalLocationConstraintException", AWS_CLASS_REGION, true},

    {"InvalidAccessKeyId", AWS_CLASS_KEYS, true},
    {"InvalidClientTokenId", AWS_CLASS_KEYS, true},
    {"UnrecognizedClientException", AWS_CLASS_KEYS, true},
    {"SignatureDoesNotMatch", AWS_CLASS_KEYS, true},
    {"InvalidSignatureException", AWS_CLASS_KEYS, true},
    {"InvalidToken", AWS_CLASS_KEYS, true},
    {"InvalidTokenId", AWS_CLASS_KEYS, true},
    {"IncompleteSignature", AWS_CLASS_KEYS, true},
    {"IncompleteSignatureException", AWS_CLASS_KEYS, true},
    {"MissingAuthenticationToken", AWS_CLASS_KEYS, true},
    {"MissingAuthenticationTokenException", AWS_CLASS_KEYS, true},
    {"AuthFailure", AWS_CLASS_KEYS, true},

    {"AccessDenied", AWS_CLASS_DENIED, true},
    {"AccessDeniedException", AWS_CLASS_DENIED, true},
    {"AllAccessDisabled", AWS_CLASS_DENIED, true},
    {"AccountProblem", AWS_CLASS_DENIED, true},
    {"NotSignedUp", AWS_CLASS_DENIED, true},
    {"OptInRequired", AWS_CLASS_DENIED, true},
    {"UnauthorizedAccess", AWS_CLASS_DENIED, true},
    {"UnauthorizedOperation", AWS_CLASS_DENIED, true},
    {"NotAuthorized", AWS_CLASS_DENIED, true},

    {"SlowDown", AWS_CLASS_THROTTLED, true},
    {"SlowDownRead", AWS_CLASS_THROTTLED, true},
    {"SlowDownWrite", AWS_CLASS_THROTTLED, true},
    {"Throttling", AWS_CLASS_THROTTLED, true},
    {"ThrottlingException", AWS_CLASS_THROTTLED, true},
    {"ThrottledException", AWS_CLASS_THROTTLED, true},
    {"RequestThrottled", AWS_CLASS_THROTTLED, true},
    {"RequestThrottledException", AWS_CLASS_THROTTLED, true},
    {"TooManyRequests", AWS_CLASS_THROTTLED, true},
    {"TooManyRequestsException", AWS_CLASS_THROTTLED, true},
    {"RequestLimitExceeded", AWS_CLASS_THROTTLED, true},
    {"BandwidthLimitExceeded", AWS_CLASS_THROTTLED, true},
    {"ProvisionedThroughputExceededException", AWS_CLASS_THROTTLED, true},

    /* The service says that it did not get the request whole. */
    {"RequestTimeout", AWS_CLASS_TRANSIENT, true},
    {"IncompleteBody", AWS_CLASS_TRANSIENT, true},
    {"BadDigest", AWS_CLASS_TRANSIENT, true},
    {"XAmzContentSHA256Mismatch", AWS_CLASS_TRANSIENT, true},
    {"XAmzContentChecksumMismatch", AWS_CLASS_TRANSIENT, true},
    /* These come with statuses below 500 too, or in a 200. */
    {"InternalError", AWS_CLASS_TRANSIENT, false},
    {"InternalFailure", AWS_CLASS_TRANSIENT, false},
    {"InternalServerError", AWS_CLASS_TRANSIENT, false},
    {"InternalServiceException", AWS_CLASS_TRANSIENT, false},
    {"ServiceUnavailable", AWS_CLASS_TRANSIENT, false},
    {"ServiceUnavailableException", AWS_CLASS_TRANSIENT, false},
    {"OperationTimeoutException", AWS_CLASS_TRANSIENT, false},
    {"RequestTimeoutException", AWS_CLASS_TRANSIENT, false},
    {"PriorRequestNotComplete", AWS_CLASS_TRANSIENT, false},
    {"IDPCommunicationError", AWS_CLASS_TRANSIENT, false},
};

static struct aws_verdict by_status(const struct aws_error *error)
{
    bool says_where = error->region[0] != '\0';

    switch (error->status) {
    case 301:
    case 302:
    case 307:
    case 308:
    case 400:
        return (struct aws_verdict){says_where ? AWS_CLASS_REGION : AWS_CLASS_OTHER, true};
    case 401:
    case 403:
        return (struct aws_verdict){AWS_CLASS_DENIED, true};
    case 408:
        return (struct aws_verdict){AWS_CLASS_TRANSIENT, false};
    case 429:
        return (struct aws_verdict){AWS_CLASS_THROTTLED, true};
    case 501: /* not implemented */
    case 505: /* of HTTP's versions */
        return (struct aws_verdict){AWS_CLASS_OTHER, true};
    default:
        break;
    }
    /* A 200 that is an error of a kind that nobody can read says nothing about what was done. */
    return error->status >= 500 || (error->status < 300 && error->code[0] == '\0')
               ? (struct aws_verdict){AWS_CLASS_TRANSIENT, false}
               : (struct aws_verdict){AWS_CLASS_OTHER, true};
}

/* The same code stands for a wrong secret, a wrong clock and a wrong region. */
static enum aws_class by_message(const struct aws_error *error)
{
    if (strstr(error->message, "Signature expired") != NULL ||
        strstr(error->message, "not yet current") != NULL) {
        return AWS_CLASS_SKEWED;
    }
    return strstr(error->message, "scoped to a valid region") != NULL ? AWS_CLASS_REGION
                                                                      : AWS_CLASS_KEYS;
}

struct aws_verdict aws_classify(const struct aws_error *error)
{
    for (size_t i = 0; i < sizeof known_codes / sizeof known_codes[0]; i++) {
        const struct known_code *k = &known_codes[i];

        if (strcmp(k->code, error->code) == 0) {
            return (struct aws_verdict){k->class == AWS_CLASS_KEYS ? by_message(error) : k->class,
                                        k->no_effect};
        }
    }
    return by_status(error);
}

static enum err_code other_code(const struct aws_error *error)
{
    static const struct {
        const char *text;
        enum err_code code;
    } known[] = {
        /* Of services that answer all mistakes with a 400, and of errors in a 200. */
        {"EntityNotFoundException", ERR_NOT_FOUND},
        {"NoSuchKey", ERR_NOT_FOUND},
        {"NoSuchUpload", ERR_NOT_FOUND},
        {"AlreadyExistsException", ERR_EXISTS},
        {"PreconditionFailed", ERR_EXISTS},
        {"ConcurrentModificationException", ERR_CONFLICT},
        {"ConditionalRequestConflict", ERR_CONFLICT},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].text, error->code) == 0) {
            return known[i].code;
        }
    }
    switch (error->status) {
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 412:
        return ERR_EXISTS;
    default:
        return ERR_IO;
    }
}

enum err_code aws_error_code(const struct aws_error *error, enum aws_class class)
{
    switch (class) {
    case AWS_CLASS_EXPIRED:
    case AWS_CLASS_SKEWED:
    case AWS_CLASS_REGION:
    case AWS_CLASS_KEYS:
    case AWS_CLASS_DENIED:
        return ERR_CONFIG;
    case AWS_CLASS_TRANSIENT:
    case AWS_CLASS_THROTTLED:
        return ERR_IO;
    case AWS_CLASS_OTHER:
        return other_code(error);
    }
    return ERR_IO;
}

/* ---- headers ---- */

/* `count` digits and the character behind them, NUL for none. */
static unsigned read_number(struct bytes_reader *in, size_t count, char behind)
{
    uint64_t v = 0;

    if (!str_to_u64(bytes_span(in, count), &v) ||
        (behind != '\0' && bytes_u8(in) != (uint8_t)behind)) {
        bytes_fail(in);
    }
    return (unsigned)v;
}

static unsigned read_month(struct bytes_reader *in)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct span name = bytes_span(in, 3);

    for (unsigned i = 0; i < 12; i++) {
        if (span_eq(name, span_of(names + (size_t)3 * i, 3))) {
            return i + 1;
        }
    }
    bytes_fail(in);
    return 1;
}

bool aws_http_date(const char *text, int64_t *out_s)
{
    struct bytes_reader in;

    bytes_reader_init(&in, span_str(text));
    bytes_skip(&in, strlen("Sun, "));
    unsigned day = read_number(&in, 2, ' ');
    unsigned month = read_month(&in);

    bytes_skip(&in, 1);
    unsigned year = read_number(&in, 4, ' ');
    unsigned hour = read_number(&in, 2, ':');
    unsigned minute = read_number(&in, 2, ':');
    unsigned second = read_number(&in, 2, '\0');

    if (!span_eq_str(bytes_rest(&in), " GMT") || bytes_failed(&in) || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    *out_s = ((civil_days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

int64_t aws_retry_after_us(const struct http_response *response, int64_t wall_s)
{
    const char *text = http_response_header(response, "retry-after");
    uint64_t seconds = 0;
    int64_t until_s;

    if (text == NULL) {
        return 0;
    }
    if (!str_to_u64(span_str(text), &seconds)) {
        if (!aws_http_date(text, &until_s) || until_s <= wall_s) {
            return 0;
        }
        seconds = (uint64_t)(until_s - wall_s);
    }
    return seconds > RETRY_AFTER_US / US_PER_S ? RETRY_AFTER_US : (int64_t)seconds * US_PER_S;
}
