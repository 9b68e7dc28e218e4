/* The bundled network's files, inside the program. */
#ifndef SRV_EMBEDDED_H
#define SRV_EMBEDDED_H

extern const char srv_digits_json[], srv_digits_json_end[];
extern const char srv_digits_weights[], srv_digits_weights_end[];
extern const char srv_digits_baseline[], srv_digits_baseline_end[];

/* The page's files, by gzip. */
#define SRV_PAGE_FILE(id, file, type) extern const char srv_page_##id[], srv_page_##id##_end[];
#include "server/page.def"
#undef SRV_PAGE_FILE

#endif
