/* Whole files out, for the offline commands; proto/load.h reads them. */
#ifndef SRV_FILES_H
#define SRV_FILES_H

#include <stddef.h>

#include "core/status.h"

/* Fails as writing this file would, before there is anything to write; leaves all as it is. */
enum rf_status srv_file_try(const char *path, struct rf_error *err) RF_CHECKED;
enum rf_status srv_file_write(const char *path, const void *data, size_t len,
                              struct rf_error *err) RF_CHECKED;
/* Makes the folder and those above it, unless they are there. */
enum rf_status srv_folder_make(const char *path, struct rf_error *err) RF_CHECKED;

#endif
