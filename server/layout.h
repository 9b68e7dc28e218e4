/*
 * What lies on disk where a MODEL points. It may be
 *   an .onnx or .json file, or a folder with model.onnx or model.json: one model, version 1;
 *   a folder whose subfolders are all numbers: one model with versions;
 *   a folder of such folders: a repository, whose models are called as their folders.
 * Only names, sizes and times are looked at here; proto/load.h reads the files. Names that begin
 * with a dot are left out.
 */
#ifndef SRV_LAYOUT_H
#define SRV_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define SRV_MAX_MODEL_NAME 128
#define SRV_BUNDLED_NAME "digits"

struct srv_disk_version {
    uint64_t number;
    char *path;
    uint64_t stamp; /* of names, sizes, times and inodes: another one when a file was changed */
    bool is_empty;  /* a folder without model.json and model.onnx, or nothing at all */
};

struct srv_disk_model {
    char *key;  /* the MODEL that named it, or its folder: no two models have the same */
    char *path; /* of all versions */
    char name[SRV_MAX_MODEL_NAME + 2]; /* one that is too long shows as such */
    bool is_named;                     /* else the name in the model's file comes first */
    bool in_repository, is_versioned;
    size_t n;
    struct srv_disk_version *versions; /* ascending */
};

struct srv_layout {
    size_t n;
    struct srv_disk_model *models;
};

/* ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ */
bool srv_model_name_is_valid(const char *name);
/* "NAME=PATH" -> where the path begins, and the name; "" when there is none. */
const char *srv_model_split(const char *spec, char name[SRV_MAX_MODEL_NAME + 1]);
/* The network in this binary: no MODEL, or its name where no such file is. */
bool srv_model_is_bundled(const char *path);
/* A version as folders and paths have it: digits that begin with no 0. */
bool srv_version_parse(const char *text, size_t len, uint64_t *number);

/* Adds what `spec`, "[NAME=]PATH", stands for; NULL is the bundled network. RF_NOT_FOUND: nothing
 * is there. Start with a zeroed layout; release it in any case. */
enum rf_status srv_layout_scan(struct srv_layout *layout, const char *spec,
                               struct rf_error *err) RF_CHECKED;
/* Adds a model, empty, for what is not there yet. */
enum rf_status srv_layout_expect(struct srv_layout *layout, const char *spec,
                                 struct rf_error *err) RF_CHECKED;
void srv_layout_release(struct srv_layout *layout);
/* Takes empty versions out, and models that then have none. */
void srv_layout_drop_empty(struct srv_layout *layout);
/* Borrowed, or NULL. */
const struct srv_disk_model *srv_layout_find(const struct srv_layout *layout, const char *key);
const struct srv_disk_version *srv_disk_version_find(const struct srv_disk_model *model,
                                                     uint64_t number);
/* Whether both hold the same versions, unchanged. */
bool srv_layout_same(const struct srv_layout *a, const struct srv_layout *b);

#endif
