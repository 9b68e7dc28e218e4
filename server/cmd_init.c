/* `rectifier init`: initial weights for a model.json. */
#include <stdlib.h>

#include "proto/file.h"
#include "proto/model_json.h"
#include "server/cli.h"
#include "server/commands.h"
#include "server/files.h"

#define MAX_JSON (16 * 1024 * 1024)

int srv_cmd_init(const struct srv_config *config)
{
    struct rf_error err = RF_ERROR_INIT;
    struct rf_buf weights;
    char *text = NULL;
    size_t len = 0;
    if (config->args.n != 2)
        return srv_usage("init: expected MODEL.json OUT.safetensors, got %zu arguments",
                         config->args.n);
    const char *source = config->args.item[0];
    rf_buf_init(&weights, SIZE_MAX / 2);
    enum rf_status rc = rf_file_read(&text, &len, source, MAX_JSON, &err);
    if (!rc)
        rc = rf_model_json_init(&weights, source, text, len, config->seed, &err);
    if (!rc)
        rc = srv_file_write(config->args.item[1], weights.data, weights.len, &err);
    rf_buf_release(&weights);
    free(text);
    return rc ? srv_fail("%s", err.text) : SRV_EXIT_OK;
}
