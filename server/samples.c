#include "server/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/npy.h"
#include "server/inputs.h"

struct file {
    const char *path; /* NULL: none was named yet */
    int fd;
    struct rf_npy npy; /* of the whole file; its data is not in memory */
    off_t at;
    char *rows;                      /* as they lie in the file */
    struct rf_buf body;              /* the same with a header, for decoding */
    bool decoded;                    /* `request` is to be released */
    struct rf_infer_request request; /* may point into the body */
};

struct srv_samples {
    const struct rf_model_io *io;
    struct file *files; /* one for each input */
    struct rf_tensor *inputs;
    int64_t rows, done;
};

/* ---- opening ---- */

static enum rf_status read_head(struct file *f, struct rf_error *err)
{
    enum { HEAD = RF_NPY_LONGEST_HEADER + 12 };
    struct stat st;
    size_t start = 0;
    char *head = malloc(HEAD);
    if (!head)
        return rf_fail_nomem(err, "an npy header", HEAD);
    enum rf_status rc = RF_OK;
    const ssize_t have = fstat(f->fd, &st) == 0 ? pread(f->fd, head, HEAD, 0) : -1;
    if (have < 0)
        rc = rf_fail_errno(err, f->path, "cannot be read");
    else if (!S_ISREG(st.st_mode))
        rc = rf_fail(err, RF_IO, "%s: is not a regular file", f->path);
    if (!rc) {
        const struct rf_npy_part part = {
            .what = f->path, .bytes = head, .have = (size_t)have, .len = (size_t)st.st_size};
        rc = rf_npy_head(&f->npy, &start, &part, err);
    }
    if (!rc)
        f->at = (off_t)start;
    free(head);
    return rc;
}

static enum rf_status open_file(struct file *f, const char *path, struct rf_error *err)
{
    f->path = path;
    f->fd = open(path, RF_OPEN_FLAGS);
    if (f->fd < 0)
        return rf_fail_errno(err, path, "cannot be opened");
    const enum rf_status rc = read_head(f, err);
    if (rc)
        return rc;
    if (f->npy.shape.rank < 1)
        return rf_fail(err, RF_SHAPE, "%s: is one number; expected rows of samples", path);
    if (f->npy.fortran && f->npy.shape.rank > 1)
        return rf_fail(err, RF_UNSUPPORTED,
                       "%s: is in Fortran order, whose rows do not lie together; save "
                       "numpy.ascontiguousarray of it",
                       path);
    return RF_OK;
}

/* The input that "[NAME=]FILE" is for. */
static enum rf_status take_argument(struct srv_samples *s, const char *arg, struct rf_error *err)
{
    const struct rf_model_io *io = s->io;
    const char *path;
    size_t input = srv_input_split(io, arg, &path);
    if (input == io->n_inputs) {
        const enum rf_status rc = srv_input_check(io, arg, err);
        if (rc)
            return rc;
        if (io->n_inputs != 1)
            return rf_fail(err, RF_INVALID, "%s: the model has %zu inputs%s%s%s%s", path,
                           io->n_inputs, io->n_inputs ? "; say which: " : "",
                           io->n_inputs ? io->inputs[0].name : "", io->n_inputs ? "=" : "",
                           io->n_inputs ? path : "");
        input = 0;
    }
    if (s->files[input].path)
        return rf_fail(err, RF_INVALID, "%s: input '%s' was given before", path,
                       io->inputs[input].name);
    return open_file(&s->files[input], path, err);
}

static enum rf_status check_rows(struct srv_samples *s, struct rf_error *err)
{
    for (size_t i = 0; i < s->io->n_inputs; i++) {
        const struct file *f = &s->files[i];
        if (!f->path)
            return rf_fail(err, RF_INVALID, "no file for input '%s': add %s=FILE.npy",
                           s->io->inputs[i].name, s->io->inputs[i].name);
        if (i > 0 && f->npy.shape.dim[0] != s->rows)
            return rf_fail(err, RF_SHAPE, "%s has %" PRId64 " rows, %s has %" PRId64, f->path,
                           f->npy.shape.dim[0], s->files[0].path, s->rows);
        s->rows = f->npy.shape.dim[0];
    }
    if (s->rows == 0)
        return rf_fail(err, RF_SHAPE, "there is no row in %s",
                       s->io->n_inputs ? s->files[0].path : "a model without inputs");
    const int64_t fixed = srv_samples_fixed(s);
    if (fixed && s->rows % fixed)
        return rf_fail(err, RF_SHAPE,
                       "%s: %" PRId64 " rows, and the network takes %" PRId64 " at a time",
                       s->files[0].path, s->rows, fixed);
    return RF_OK;
}

static enum rf_status open_all(struct srv_samples *s, const struct srv_list *args,
                               struct rf_error *err)
{
    s->files = calloc(s->io->n_inputs + 1, sizeof *s->files);
    s->inputs = calloc(s->io->n_inputs + 1, sizeof *s->inputs);
    if (!s->files || !s->inputs)
        return rf_fail_nomem(err, "inputs", s->io->n_inputs * sizeof *s->files);
    for (size_t i = 0; i < s->io->n_inputs; i++) {
        s->files[i].fd = -1;
        rf_buf_init(&s->files[i].body, SIZE_MAX / 2);
    }
    for (size_t i = 1; i < args->n; i++) {
        const enum rf_status rc = take_argument(s, args->item[i], err);
        if (rc)
            return rc;
    }
    return check_rows(s, err);
}

enum rf_status srv_samples_open(struct srv_samples **out, const struct rf_model_io *io,
                                const struct srv_list *args, struct rf_error *err)
{
    struct srv_samples *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s)
        return rf_fail_nomem(err, "inputs", sizeof *s);
    s->io = io;
    const enum rf_status rc = open_all(s, args, err);
    if (rc)
        srv_samples_free(s);
    else
        *out = s;
    return rc;
}

void srv_samples_free(struct srv_samples *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->files && i < s->io->n_inputs; i++) {
        struct file *f = &s->files[i];
        if (f->decoded)
            rf_infer_request_release(&f->request);
        rf_buf_release(&f->body);
        free(f->rows);
        if (f->fd >= 0)
            close(f->fd);
    }
    free(s->files);
    free(s->inputs);
    free(s);
}

int64_t srv_samples_rows(const struct srv_samples *s)
{
    return s->rows;
}

int64_t srv_samples_fixed(const struct srv_samples *s)
{
    for (size_t i = 0; i < s->io->n_inputs; i++) {
        const struct rf_shape *shape = &s->io->inputs[i].shape;
        if (shape->rank > 0 && shape->dim[0] > 0)
            return shape->dim[0];
    }
    return 0;
}

/* ---- reading ---- */

static enum rf_status read_rows(struct file *f, size_t bytes, struct rf_error *err)
{
    char *rows = realloc(f->rows, bytes + 1);
    if (!rows)
        return rf_fail_nomem(err, "rows", bytes);
    f->rows = rows;
    for (size_t done = 0; done < bytes;) {
        const ssize_t got = pread(f->fd, rows + done, bytes - done, f->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rf_fail_errno(err, f->path, "cannot be read");
        if (got == 0)
            return rf_fail(err, RF_IO, "%s: changed while it was read", f->path);
        done += (size_t)got;
        f->at += got;
    }
    return RF_OK;
}

/* By the rules for requests: types are converted, and flat rows get the input's shape. `first` is
 * their number in the file. */
static enum rf_status decode_rows(struct file *f, const struct rf_model_io *io, size_t input,
                                  const struct rf_shape *shape, int64_t first, struct rf_error *err)
{
    const struct rf_decode_options options = {.raw_dtype = RF_N_DTYPE, .max_bytes = SIZE_MAX / 2};
    struct rf_model_io one = *io;
    struct rf_error inner = RF_ERROR_INIT;
    if (f->decoded)
        rf_infer_request_release(&f->request);
    f->decoded = false;
    f->body.len = 0;
    rf_npy_write(&f->body, f->npy.dtype, shape, f->rows);
    if (f->body.status)
        return rf_fail_nomem(err, "rows", f->body.len);
    one.inputs = &io->inputs[input];
    one.n_inputs = 1;
    const enum rf_status rc = rf_infer_decode(&f->request, RF_BODY_NPY, &one, &options,
                                              f->body.data, f->body.len, &inner);
    if (rc)
        return rf_fail(err, rc, "%s: rows %" PRId64 " to %" PRId64 ": %s", f->path, first,
                       first + shape->dim[0] - 1, inner.text);
    f->decoded = true;
    const struct rf_shape *got = &f->request.inputs[0].shape;
    if (got->rank < 1 || got->dim[0] != shape->dim[0])
        return rf_fail(err, RF_SHAPE, "%s: is one sample; expected rows of them", f->path);
    return RF_OK;
}

enum rf_status srv_samples_read(struct srv_samples *s, int64_t n, const struct rf_tensor **inputs,
                                struct rf_error *err)
{
    for (size_t i = 0; i < s->io->n_inputs; i++) {
        struct file *f = &s->files[i];
        struct rf_shape shape = f->npy.shape;
        shape.dim[0] = n;
        enum rf_status rc = read_rows(f, rf_shape_bytes(&shape, f->npy.dtype), err);
        if (!rc)
            rc = decode_rows(f, s->io, i, &shape, s->done, err);
        if (rc)
            return rc;
        s->inputs[i] = f->request.inputs[0];
    }
    s->done += n;
    *inputs = s->inputs;
    return RF_OK;
}
