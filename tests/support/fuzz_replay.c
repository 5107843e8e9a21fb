/* Runs a fuzz target over every file of the folders or files named: the corpus, with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long replayed;

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        perror(path);
        return 1;
    }
    (void)fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    /* Exactly as many bytes as the file has, so that a sanitizer sees a read past the end. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    size_t got = data == NULL ? 0 : fread(data, 1, (size_t)size, f);

    (void)fclose(f);
    if (data == NULL || got != (size_t)size) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        return 1;
    }
    (void)LLVMFuzzerTestOneInput(data, got);
    free(data);
    replayed++;
    return 0;
}

static int replay(const char *path)
{
    struct stat st;
    int failed = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(st.st_mode)) {
        return replay_file(path);
    }
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char child[4096];

        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        failed |= replay(child);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        failed |= replay(argv[i]);
    }
    (void)printf("%lu inputs replayed\n", replayed);
    /* An empty corpus would be a test that cannot fail. */
    return failed != 0 || replayed == 0;
}
