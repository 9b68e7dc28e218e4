/*
 * The parts of the Open Inference Protocol's request object. Inside proto only. All of it walks a
 * text that rf_json_check has passed; `what` starts messages and says which object it is about.
 */
#ifndef RF_PROTO_OIP_H
#define RF_PROTO_OIP_H

#include "proto/infer_decode.h"

enum { RF_OIP_NAME = 256, RF_OIP_WHAT = RF_OIP_NAME + 32 };

/* Values by key; NULL where a key is absent. */
struct rf_oip_member {
    const char *key, *value;
};

/* Finds the members of an object. Keys that are not asked for are passed over, as the protocol
 * wants: clients send their own. */
enum rf_status rf_oip_members(struct rf_decoder *d, const char *object, const char *what,
                              struct rf_oip_member *members, size_t n) RF_CHECKED;
/* The same of the object's "parameters"; where they are absent nothing is found. `path` names them
 * in messages. */
enum rf_status rf_oip_parameters(struct rf_decoder *d, const char *parameters, const char *what,
                                 struct rf_oip_member *members, size_t n,
                                 char path[RF_OIP_WHAT]) RF_CHECKED;

/* One member's value; what may be absent is left as it is then. */
enum rf_status rf_oip_name(struct rf_decoder *d, const struct rf_oip_member *member,
                           const char *what, char name[RF_OIP_NAME]) RF_CHECKED;
enum rf_status rf_oip_flag(struct rf_decoder *d, const struct rf_oip_member *member,
                           const char *what, bool *flag) RF_CHECKED;
enum rf_status rf_oip_count(struct rf_decoder *d, const struct rf_oip_member *member,
                            const char *what, uint64_t *count) RF_CHECKED;
/* Shared memory is not offered: a client that was answered otherwise would read old bytes there. */
enum rf_status rf_oip_no_shared_memory(struct rf_decoder *d, const struct rf_oip_member *member,
                                       const char *what) RF_CHECKED;

/* "'a', 'b'": what a name could have been. */
void rf_oip_list_names(const struct rf_io *io, size_t n, char *text, size_t size);

/* The "inputs" and "outputs" of a request, or NULL. `binary`: how outputs come back that are not
 * listed. */
enum rf_status rf_oip_inputs(struct rf_decoder *d, const char *array) RF_CHECKED;
enum rf_status rf_oip_outputs(struct rf_decoder *d, const char *array, bool binary) RF_CHECKED;

#endif
