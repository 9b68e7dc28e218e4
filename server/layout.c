/* Folders -> models and versions. */
#include "server/layout.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "server/units.h"

#define DEEPEST 8 /* folders below a version's that are looked at */

/* ---- names ---- */

bool srv_model_name_is_valid(const char *name)
{
    const size_t n = strlen(name);
    if (n == 0 || n > SRV_MAX_MODEL_NAME)
        return false;
    for (const char *p = name; *p; p++) {
        const bool alnum =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!alnum && (p == name || !strchr("._-", *p)))
            return false;
    }
    return true;
}

const char *srv_model_split(const char *spec, char name[SRV_MAX_MODEL_NAME + 1])
{
    const char *eq = strchr(spec, '=');
    *name = '\0';
    if (!eq || eq - spec > SRV_MAX_MODEL_NAME)
        return spec;
    snprintf(name, SRV_MAX_MODEL_NAME + 1, "%.*s", (int)(eq - spec), spec);
    if (srv_model_name_is_valid(name))
        return eq + 1;
    *name = '\0';
    return spec;
}

bool srv_model_is_bundled(const char *path)
{
    return strcmp(path, SRV_BUNDLED_NAME) == 0 && access(path, F_OK) != 0;
}

bool srv_version_parse(const char *text, size_t len, uint64_t *number)
{
    char digits[20];
    if (len == 0 || len >= sizeof digits || *text == '0')
        return false;
    memcpy(digits, text, len);
    digits[len] = '\0';
    return srv_parse_uint(digits, number);
}

/* The last part of a path, as the folder is really called where it is one. */
static void name_by_path(char *name, size_t size, const char *path)
{
    char *const real = realpath(path, NULL);
    const char *const whole = real ? real : path;
    const char *const slash = strrchr(whole, '/');
    const char *const last = slash ? slash + 1 : whole;
    snprintf(name, size, "%s", *last ? last : "model");
    free(real);
    char *const dot = strrchr(name, '.');
    if (dot && dot != name && (!strcmp(dot, ".onnx") || !strcmp(dot, ".json")))
        *dot = '\0';
}

/* ---- folders ---- */

static int no_dot(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The entries of a folder, by name; -1 and errno. */
static int list_folder(const char *path, struct dirent ***list)
{
    *list = NULL;
    return scandir(path, list, no_dot, alphasort);
}

static void free_list(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static char *join(const char *folder, const char *name)
{
    char *path = NULL;
    const size_t n = strlen(folder);
    const char *const slash = n > 0 && folder[n - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}

static bool is_folder(const char *folder, const char *name)
{
    struct stat st;
    char *const path = join(folder, name);
    const bool is = path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    free(path);
    return is;
}

/* A link is there, too, wherever it leads. */
static bool has(const char *folder, const char *name)
{
    struct stat st;
    char *const path = join(folder, name);
    const bool is = path && lstat(path, &st) == 0;
    free(path);
    return is;
}

static bool has_model(const char *folder)
{
    return has(folder, "model.json") || has(folder, "model.onnx");
}

/* ---- stamps: FNV-1a ---- */

static void stamp_bytes(uint64_t *stamp, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        *stamp = (*stamp ^ p[i]) * UINT64_C(0x100000001b3);
}

static void stamp_file(uint64_t *stamp, const char *name, const struct stat *st)
{
    const int64_t facts[] = {(int64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
                             (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ino};
    stamp_bytes(stamp, name, strlen(name) + 1);
    stamp_bytes(stamp, facts, sizeof facts);
}

/* Files of the folder whose names begin with `prefix`, and of all folders below when it is "". */
static void stamp_folder(uint64_t *stamp, const char *folder, const char *prefix, int depth)
{
    struct dirent **list;
    const int n = list_folder(folder, &list);
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *const name = list[i]->d_name;
        char *const path = join(folder, name);
        if (path && strncmp(name, prefix, strlen(prefix)) == 0 && stat(path, &st) == 0) {
            if (!S_ISDIR(st.st_mode))
                stamp_file(stamp, name, &st);
            else if (!*prefix && depth < DEEPEST)
                stamp_folder(stamp, path, prefix, depth + 1);
        }
        free(path);
    }
    free_list(list, n);
}

/* A file's weights lie beside it and are called alike: net.onnx.data, net.safetensors. */
static void stamp_siblings(uint64_t *stamp, const char *path)
{
    const char *const slash = strrchr(path, '/');
    const char *const file = slash ? slash + 1 : path;
    const char *const dot = strrchr(file, '.');
    char folder[RF_LONGEST_PATH + 1], prefix[RF_LONGEST_PATH + 1];
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    snprintf(prefix, sizeof prefix, "%.*s", (int)(dot ? dot - file : (ptrdiff_t)strlen(file)),
             file);
    stamp_folder(stamp, *folder ? folder : "/", prefix, 0);
}

static uint64_t stamp_of(const char *path, bool folder)
{
    uint64_t stamp = UINT64_C(0xcbf29ce484222325);
    if (folder)
        stamp_folder(&stamp, path, "", 0);
    else
        stamp_siblings(&stamp, path);
    return stamp;
}

/* ---- models ---- */

/* Takes `path`; NULL without memory. */
static struct srv_disk_model *add_model(struct srv_layout *layout, const char *key, char *path)
{
    struct srv_disk_model *const models = realloc(layout->models, (layout->n + 1) * sizeof *models);
    if (!models) {
        free(path);
        return NULL;
    }
    layout->models = models;
    struct srv_disk_model *const model = &models[layout->n++];
    *model = (struct srv_disk_model){.path = path};
    model->key = path ? strdup(key ? key : path) : NULL;
    return model->key ? model : NULL;
}

/* Takes `path`. */
static bool add_version(struct srv_disk_model *model, uint64_t number, char *path)
{
    struct stat st;
    struct srv_disk_version *const versions =
        path ? realloc(model->versions, (model->n + 1) * sizeof *versions) : NULL;
    if (!versions) {
        free(path);
        return false;
    }
    const bool there = stat(path, &st) == 0;
    const bool folder = there && S_ISDIR(st.st_mode);
    model->versions = versions;
    versions[model->n++] = (struct srv_disk_version){
        .number = number,
        .path = path,
        .stamp = there ? stamp_of(path, folder) : 0,
        .is_empty = (!there && !srv_model_is_bundled(path)) || (folder && !has_model(path)),
    };
    return true;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = ((const struct srv_disk_version *)a)->number,
                   y = ((const struct srv_disk_version *)b)->number;
    return x < y ? -1 : x > y;
}

enum kind { NO_FOLDER, PLAIN, VERSIONS, REPOSITORY };

static enum kind kind_of(const char *path)
{
    struct stat st;
    struct dirent **list;
    uint64_t number;
    int folders = 0, numbers = 0;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return NO_FOLDER;
    if (has_model(path))
        return PLAIN;
    const int n = list_folder(path, &list);
    for (int i = 0; i < n; i++) {
        const char *const name = list[i]->d_name;
        if (!is_folder(path, name))
            continue;
        folders++;
        numbers += srv_version_parse(name, strlen(name), &number);
    }
    free_list(list, n);
    return folders == 0 ? PLAIN : numbers == folders ? VERSIONS : REPOSITORY;
}

/* Version folders below model->path. */
static bool add_versions(struct srv_disk_model *model)
{
    struct dirent **list;
    uint64_t number;
    bool ok = true;
    const int n = list_folder(model->path, &list);
    for (int i = 0; ok && i < n; i++) {
        const char *const name = list[i]->d_name;
        if (srv_version_parse(name, strlen(name), &number) && is_folder(model->path, name))
            ok = add_version(model, number, join(model->path, name));
    }
    free_list(list, n);
    if (model->n > 1)
        qsort(model->versions, model->n, sizeof *model->versions, by_number);
    return ok && n >= 0;
}

/* One model; takes `path`. `key` NULL: it lies in a repository. */
static enum rf_status scan_model(struct srv_layout *layout, const char *key, char *path,
                                 const char *name, struct rf_error *err)
{
    const bool in_repository = !key;
    struct srv_disk_model *const model = add_model(layout, key, path);
    if (!model)
        return rf_fail_nomem(err, "a model's place", sizeof *model);
    model->in_repository = in_repository;
    model->is_versioned = kind_of(path) == VERSIONS;
    model->is_named = *name || in_repository || model->is_versioned;
    if (*name)
        snprintf(model->name, sizeof model->name, "%s", name);
    else
        name_by_path(model->name, sizeof model->name, path);
    const bool ok =
        model->is_versioned ? add_versions(model) : add_version(model, 1, strdup(model->path));
    return ok ? RF_OK : rf_fail_nomem(err, "a model's versions", sizeof *model->versions);
}

static enum rf_status scan_repository(struct srv_layout *layout, const char *path,
                                      struct rf_error *err)
{
    struct dirent **list;
    enum rf_status rc = RF_OK;
    const int n = list_folder(path, &list);
    if (n < 0)
        return rf_fail_errno(err, path, "cannot be read");
    for (int i = 0; !rc && i < n; i++)
        if (is_folder(path, list[i]->d_name))
            rc = scan_model(layout, NULL, join(path, list[i]->d_name), list[i]->d_name, err);
    free_list(list, n);
    return rc;
}

enum rf_status srv_layout_scan(struct srv_layout *layout, const char *spec, struct rf_error *err)
{
    struct stat st;
    char name[SRV_MAX_MODEL_NAME + 1] = "";
    const char *const path = spec ? srv_model_split(spec, name) : SRV_BUNDLED_NAME;
    if (srv_model_is_bundled(path) || !spec)
        return srv_layout_expect(layout, spec ? spec : SRV_BUNDLED_NAME, err);
    const enum rf_status rc = rf_path_stat(&st, path, err);
    if (rc)
        return rc;
    if (kind_of(path) != REPOSITORY)
        return scan_model(layout, spec, strdup(path), name, err);
    if (*name)
        return rf_fail(
            err, RF_INVALID,
            "%s: a folder of models takes no name ('%s'): its models are called as their "
            "folders",
            path, name);
    return scan_repository(layout, path, err);
}

enum rf_status srv_layout_expect(struct srv_layout *layout, const char *spec, struct rf_error *err)
{
    char name[SRV_MAX_MODEL_NAME + 1];
    const char *const path = srv_model_split(spec, name);
    return scan_model(layout, spec, strdup(path), name, err);
}

static void release_model(struct srv_disk_model *model)
{
    for (size_t i = 0; i < model->n; i++)
        free(model->versions[i].path);
    free(model->versions);
    free(model->key);
    free(model->path);
}

void srv_layout_release(struct srv_layout *layout)
{
    for (size_t i = 0; i < layout->n; i++)
        release_model(&layout->models[i]);
    free(layout->models);
    *layout = (struct srv_layout){0};
}

void srv_layout_drop_empty(struct srv_layout *layout)
{
    size_t left = 0;
    for (size_t i = 0; i < layout->n; i++) {
        struct srv_disk_model *const m = &layout->models[i];
        size_t n = 0;
        for (size_t k = 0; k < m->n; k++) {
            if (m->versions[k].is_empty)
                free(m->versions[k].path);
            else
                m->versions[n++] = m->versions[k];
        }
        m->n = n;
        if (n > 0)
            layout->models[left++] = *m;
        else
            release_model(m);
    }
    layout->n = left;
}

const struct srv_disk_model *srv_layout_find(const struct srv_layout *layout, const char *key)
{
    for (size_t i = 0; i < layout->n; i++)
        if (strcmp(layout->models[i].key, key) == 0)
            return &layout->models[i];
    return NULL;
}

const struct srv_disk_version *srv_disk_version_find(const struct srv_disk_model *model,
                                                     uint64_t number)
{
    for (size_t i = 0; i < model->n; i++)
        if (model->versions[i].number == number)
            return &model->versions[i];
    return NULL;
}

bool srv_layout_same(const struct srv_layout *a, const struct srv_layout *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct srv_disk_model *const x = &a->models[i], *const y = &b->models[i];
        if (strcmp(x->key, y->key) != 0 || x->n != y->n)
            return false;
        for (size_t k = 0; k < x->n; k++)
            if (x->versions[k].number != y->versions[k].number ||
                x->versions[k].stamp != y->versions[k].stamp)
                return false;
    }
    return true;
}
