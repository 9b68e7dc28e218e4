/* make_weights DIR OUT.safetensors OUT_INPUT.npy: the weights and input of a golden network. */
#include <stdio.h>

#include "tests/support/weights.h"

int main(int argc, char **argv)
{
    char err[512];

    if (argc != 4) {
        fprintf(stderr, "usage: make_weights DIR OUT.safetensors OUT_INPUT.npy\n");
        return 2;
    }
    if (test_weights_generate(argv[1], argv[2], argv[3], err, sizeof(err)) != 0) {
        fprintf(stderr, "make_weights: %s\n", err);
        return 1;
    }
    return 0;
}
