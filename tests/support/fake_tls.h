/*
 * fake_tls.h - TLS in front of a plain server on loopback, with certificates made for the test.
 *
 *   struct fake_tls *tls = fake_tls_new(&(struct fake_tls_options){
 *       .server_url = fake_http_url(server), .folder = folder.path});
 *   ... fake_tls_url(tls) is "https://127.0.0.1:41235", fake_tls_file(tls, "ca.pem") its authority
 *   fake_tls_free(tls);
 *
 * Thread: any.
 */
#ifndef CALVE_FAKE_TLS_H
#define CALVE_FAKE_TLS_H

#include <stdbool.h>

struct fake_tls;

struct fake_tls_options {
    const char *server_url; /* "http://127.0.0.1:41234" */
    const char *folder;     /* gets ca.pem, other_ca.pem, client.pem and client.key */
    const char *names;      /* of the certificate; NULL: "DNS:localhost,IP:127.0.0.1" */
    bool expired;
    bool not_yet_valid;
    bool self_signed;  /* the server's certificate, which is not in ca.pem then */
    bool wants_client; /* takes only clients with a certificate of ca.pem */
};

/* Aborts the test program when it cannot. */
struct fake_tls *fake_tls_new(const struct fake_tls_options *options);
void fake_tls_free(struct fake_tls *t); /* waits for its threads; NULL is fine */

const char *fake_tls_url(const struct fake_tls *t);
/* Path of one of the files; valid until the next call. */
const char *fake_tls_file(struct fake_tls *t, const char *name);

#endif
