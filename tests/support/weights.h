/*
 * Seeded weights for the networks of tests/goldens/, so that megabytes of them need not be
 * committed. The same generator in Python (tests/goldens/generator.py) gave PyTorch its weights;
 * both produce the same bits, which the CRC-32 in tensors.txt proves on every run.
 */
#ifndef TESTS_SUPPORT_WEIGHTS_H
#define TESTS_SUPPORT_WEIGHTS_H

#include <stddef.h>

/*
 * Reads DIR/tensors.txt and writes the network's tensors as a .safetensors file, in the order
 * listed, and its input batch as a float32 .npy file. Either path may be NULL: that file is not
 * written. Returns 0, or -1 with a message in `err` (then the files are not to be used).
 */
int test_weights_generate(const char *dir, const char *safetensors_path, const char *input_path,
                          char *err, size_t err_size);

#endif
