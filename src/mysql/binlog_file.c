/* A binlog file: fe 'b' 'i' 'n', then events. */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "mysql/binlog_stream_int.h"

#define EVENT_BYTES_MAX ((size_t)1 << 30)
#define PIECE_BYTES     ((size_t)1 << 20)
#define KEEP_BYTES      ((size_t)4 << 20)

struct file_source {
    FILE *file;
    struct buf event;
};

/* Reads in pieces, so that a lying length costs no more memory than the file has bytes. */
static enum err_code read_bytes(struct file_source *f, size_t want, struct err *e)
{
    while (want > 0) {
        size_t piece = want > PIECE_BYTES ? PIECE_BYTES : want;
        uint8_t *p = buf_reserve(&f->event, piece);

        if (p == NULL) {
            return buf_check(&f->event, e, "a binlog event");
        }
        size_t got = fread(p, 1, piece, f->file);

        f->event.len += got;
        if (got < piece && ferror(f->file) != 0) {
            return err_set_os(e, ERR_IO, errno, "reading a binlog file");
        }
        if (got < piece && f->event.len == 0) {
            return err_set(e, ERR_NOT_FOUND, "end of the binlog file");
        }
        if (got < piece) {
            return err_set(e, ERR_CORRUPT, "the file ends inside an event");
        }
        want -= piece;
    }
    return ERR_OK;
}

static enum err_code next_event(void *ctx, struct span *event, struct err *e)
{
    struct file_source *f = ctx;
    struct bytes_reader in;
    struct binlog_event_header header;

    buf_shrink(&f->event, KEEP_BYTES);
    ERR_TRY(read_bytes(f, BINLOG_EVENT_HEADER_BYTES, e));
    bytes_reader_init(&in, buf_span(&f->event));
    ERR_TRY(binlog_event_read_header(&in, &header, e));
    ERR_TRY(read_bytes(f, header.event_bytes - BINLOG_EVENT_HEADER_BYTES, e));
    *event = buf_span(&f->event);
    return ERR_OK;
}

static void close_file(void *ctx)
{
    struct file_source *f = ctx;

    (void)fclose(f->file);
    buf_deinit(&f->event);
    free(f);
}

enum err_code binlog_stream_from_file(FILE *file, const char *name, struct binlog_stream **out,
                                      struct err *e)
{
    static const uint8_t magic[BINLOG_FILE_START] = {0xfe, 'b', 'i', 'n'};
    uint8_t head[BINLOG_FILE_START];
    struct binlog_position at = {.offset = BINLOG_FILE_START};
    struct file_source *f = calloc(1, sizeof *f);

    if (f == NULL) {
        (void)fclose(file);
        return err_nomem(e);
    }
    f->file = file;
    buf_init(&f->event, EVENT_BYTES_MAX);
    if (fread(head, 1, sizeof head, file) != sizeof head || memcmp(head, magic, sizeof head) != 0) {
        close_file(f);
        return err_set(e, ERR_CORRUPT, "not a binlog file: it does not start with fe 62 69 6e");
    }
    (void)snprintf(at.file, sizeof at.file, "%s", name);
    struct binlog_source source = {
        .next = next_event, .close = close_file, .ctx = f, .is_file = true};

    return binlog_stream_new(&source, &at, BINLOG_CHECKSUM_OFF, out, e);
}

enum err_code binlog_stream_open_file(const char *path, struct binlog_stream **out, struct err *e)
{
    FILE *file = fopen(path, "rb");
    const char *slash = strrchr(path, '/');

    if (file == NULL) {
        return err_set_os(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "opening %s", path);
    }
    return binlog_stream_from_file(file, slash == NULL ? path : slash + 1, out, e);
}
