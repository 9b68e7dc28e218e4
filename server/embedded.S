/* The bundled network and the page, so that `rectifier serve` works from anywhere. */
        .section .rodata

        .macro  EMBED name, file
        .globl  \name
        .globl  \name\()_end
        .hidden \name
        .hidden \name\()_end
        .balign 64
\name:  .incbin "\file"
\name\()_end:
        .byte   0
        .endm

        EMBED   srv_digits_json, "deploy/models/digits/model.json"
        EMBED   srv_digits_weights, "deploy/models/digits/model.safetensors"
        EMBED   srv_digits_baseline, "deploy/models/digits/baseline.json"

#define TEXT(words) #words
#define SRV_PAGE_FILE(id, file, type) EMBED srv_page_##id, TEXT(page/file.gz)
#include "server/page.def"

        .section .note.GNU-stack, "", %progbits
