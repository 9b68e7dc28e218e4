#include "tests/support/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TENSORS = 256, MAX_RANK = 8, MAX_LINE = 512, CHUNK = 512 };

/* What a draw u in [-1, 1) becomes: offset + gain * u; a weight's gain follows from fan_in. */
static const struct kind {
    const char *name;
    float offset, gain;
} kinds[] = {
    {"weight", 0.0f, 0.0f},  {"bias", 0.0f, 0.1f},         {"bn_weight", 1.0f, 0.5f},
    {"bn_bias", 0.0f, 0.2f}, {"running_mean", 0.0f, 0.5f}, {"running_var", 0.75f, 0.5f},
    {"slope", 0.25f, 0.2f},  {"input", 0.0f, 2.0f},        {"counter", 0.0f, 0.0f},
};

enum dtype { F32, F64, F16, BF16, I64 };

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [F32] = {"F32", 4},   [F64] = {"F64", 8}, [F16] = {"F16", 2},
    [BF16] = {"BF16", 2}, [I64] = {"I64", 8},
};

struct entry {
    char name[128];
    enum dtype dtype;
    const struct kind *kind;
    unsigned fan_in;
    size_t rank;
    size_t dims[MAX_RANK];
    size_t count;
};

struct listing {
    char network[128];
    size_t batch;
    uint32_t crc;
    size_t n;
    struct entry entries[MAX_TENSORS];
};

struct error {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct error *err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (err->size > 0)
        vsnprintf(err->text, err->size, format, args);
    va_end(args);
    return -1;
}

/* ---- the generator ---- */

static uint64_t fnv1a(const char *text)
{
    uint64_t hash = 0xCBF29CE484222325u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001B3u;
    return hash;
}

static float draw(uint64_t *state)
{
    uint64_t x = *state += 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    return (float)((int64_t)(x >> 40) - (1 << 23)) / (float)(1 << 23);
}

static uint32_t crc32_update(uint32_t crc, const unsigned char *bytes, size_t n)
{
    static const uint32_t nibbles[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc = (crc >> 4) ^ nibbles[(crc ^ bytes[i]) & 15];
        crc = (crc >> 4) ^ nibbles[(crc ^ (unsigned)(bytes[i] >> 4)) & 15];
    }
    return ~crc;
}

static void put_little_endian(unsigned char *out, uint64_t bits, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(bits >> (8 * i));
}

static uint32_t float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Rounds towards zero; |value| < 65504. */
static uint32_t half_bits(float value)
{
    uint32_t bits = float_bits(value), sign = (bits >> 16) & 0x8000u, mantissa = bits & 0x7FFFFFu;
    int exponent = (int)((bits >> 23) & 0xFF) - 112;

    if (exponent > 0)
        return sign | ((uint32_t)exponent << 10) | (mantissa >> 13);
    if (exponent < -10)
        return sign;
    return sign | ((mantissa | 0x800000u) >> (14 - exponent));
}

static uint64_t stored_bits(float value, enum dtype dtype)
{
    double wide = (double)value;
    uint64_t bits;

    switch (dtype) {
    case F32:
        return float_bits(value);
    case F64:
        memcpy(&bits, &wide, sizeof(bits));
        return bits;
    case F16:
        return half_bits(value);
    case BF16:
        return float_bits(value) >> 16;
    case I64:
        return (uint64_t)(int64_t)value;
    }
    return 0;
}

/* Appends one tensor to `out` (may be NULL) and to the checksum; `count` values. */
static void generate(const struct listing *list, const struct entry *e, size_t count, FILE *out,
                     uint32_t *crc)
{
    uint64_t state = fnv1a(e->name) ^ fnv1a(list->network);
    size_t size = dtypes[e->dtype].size;
    float gain = e->kind->gain;
    unsigned char chunk[CHUNK * 8];

    if (strcmp(e->kind->name, "weight") == 0)
        gain = (float)sqrt(6.0 / (double)e->fan_in);
    for (size_t done = 0; done < count;) {
        size_t n = count - done < CHUNK ? count - done : CHUNK;

        for (size_t i = 0; i < n; i++) {
            /* volatile: two roundings on every machine, never a fused multiply-add */
            volatile float product = gain * draw(&state);
            float value = e->kind->offset == 0.0f ? product : e->kind->offset + product;

            put_little_endian(chunk + i * size, stored_bits(value, e->dtype), size);
        }
        *crc = crc32_update(*crc, chunk, n * size);
        if (out)
            fwrite(chunk, size, n, out);
        done += n;
    }
}

/* ---- tensors.txt ---- */

/* Cuts the next word off `*rest`; "" at the end of the line. */
static const char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \n"), *end = word + strcspn(word, " \n");

    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static int parse_tensor(char *line, struct entry *e)
{
    const char *name = next_word(&line), *dtype = next_word(&line), *kind = next_word(&line);
    const char *fan_in = next_word(&line), *dim;
    size_t i;

    if (!*fan_in || strlen(name) >= sizeof(e->name))
        return -1;
    memcpy(e->name, name, strlen(name) + 1);
    for (i = 0; i < sizeof(dtypes) / sizeof(*dtypes) && strcmp(dtypes[i].name, dtype) != 0; i++)
        ;
    if (i == sizeof(dtypes) / sizeof(*dtypes))
        return -1;
    e->dtype = (enum dtype)i;
    for (i = 0; i < sizeof(kinds) / sizeof(*kinds) && strcmp(kinds[i].name, kind) != 0; i++)
        ;
    if (i == sizeof(kinds) / sizeof(*kinds))
        return -1;
    e->kind = &kinds[i];
    e->fan_in = (unsigned)strtoul(fan_in, NULL, 10);
    e->count = 1;
    for (e->rank = 0; *(dim = next_word(&line)); e->rank++) {
        if (e->rank == MAX_RANK)
            return -1;
        e->dims[e->rank] = strtoul(dim, NULL, 10);
        e->count *= e->dims[e->rank];
    }
    return 0;
}

static int read_listing(const char *dir, struct listing *list, struct error *err)
{
    char path[4096], line[MAX_LINE];
    FILE *in;
    int number = 0, status = 0;

    snprintf(path, sizeof(path), "%s/tensors.txt", dir);
    in = fopen(path, "r");
    if (!in)
        return fail(err, "cannot open %s", path);
    while (status == 0 && fgets(line, sizeof(line), in)) {
        number++;
        if (sscanf(line, "# network %127s", list->network) == 1 ||
            sscanf(line, "# batch %zu", &list->batch) == 1 ||
            sscanf(line, "# crc32 %" SCNx32, &list->crc) == 1)
            continue;
        if (list->n == MAX_TENSORS || parse_tensor(line, &list->entries[list->n]) != 0)
            status = fail(err, "%s:%d: not a tensor this tool knows", path, number);
        list->n++;
    }
    fclose(in);
    if (status == 0 && (list->n == 0 || strcmp(list->entries[0].kind->name, "input") != 0))
        status = fail(err, "%s: the first tensor must be the input", path);
    return status;
}

/* ---- the two files ---- */

static FILE *open_output(const char *path, int *status, struct error *err)
{
    FILE *out;

    if (!path)
        return NULL;
    out = fopen(path, "wb");
    if (!out)
        *status = fail(err, "cannot write %s", path);
    return out;
}

static int close_output(FILE *out, const char *path, struct error *err)
{
    int failed;

    if (!out)
        return 0;
    failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return fail(err, "cannot write %s", path);
    return 0;
}

static void write_npy_header(FILE *out, size_t batch, const struct entry *e)
{
    static const char start[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    unsigned char magic[10] = "\x93NUMPY\x01";
    char header[256];
    size_t used = (size_t)snprintf(header, sizeof(header), "%s%zu,", start, batch), total;

    for (size_t i = 0; i < e->rank; i++)
        used += (size_t)snprintf(header + used, sizeof(header) - used, " %zu%s", e->dims[i],
                                 i + 1 < e->rank ? "," : "");
    used += (size_t)snprintf(header + used, sizeof(header) - used, "), }");
    total = (sizeof(magic) + used + 1 + 63) / 64 * 64 - sizeof(magic);
    put_little_endian(magic + 8, total, 2);
    fwrite(magic, 1, sizeof(magic), out);
    fprintf(out, "%-*s\n", (int)total - 1, header);
}

static int write_input(const struct listing *list, const char *path, uint32_t *crc,
                       struct error *err)
{
    const struct entry *e = &list->entries[0];
    int status = 0;
    FILE *out = open_output(path, &status, err);

    if (status != 0)
        return status;
    if (out)
        write_npy_header(out, list->batch, e);
    generate(list, e, list->batch * e->count, out, crc);
    return close_output(out, path, err);
}

static void write_safetensors_header(FILE *out, const struct listing *list)
{
    static const unsigned char zeros[8];
    unsigned char length[8];
    size_t offset = 0;
    long end;

    fwrite(zeros, 1, sizeof(zeros), out);
    fputc('{', out);
    for (size_t i = 1; i < list->n; i++) {
        const struct entry *e = &list->entries[i];
        size_t size = e->count * dtypes[e->dtype].size;

        fprintf(out, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i > 1 ? "," : "", e->name,
                dtypes[e->dtype].name);
        for (size_t k = 0; k < e->rank; k++)
            fprintf(out, "%s%zu", k ? "," : "", e->dims[k]);
        fprintf(out, "],\"data_offsets\":[%zu,%zu]}", offset, offset + size);
        offset += size;
    }
    fputc('}', out);
    while (ftell(out) % 8 != 0)
        fputc(' ', out);
    end = ftell(out);
    put_little_endian(length, (uint64_t)end - sizeof(length), sizeof(length));
    fseek(out, 0, SEEK_SET);
    fwrite(length, 1, sizeof(length), out);
    fseek(out, end, SEEK_SET);
}

static int write_weights(const struct listing *list, const char *path, uint32_t *crc,
                         struct error *err)
{
    int status = 0;
    FILE *out = open_output(path, &status, err);

    if (status != 0)
        return status;
    if (out)
        write_safetensors_header(out, list);
    for (size_t i = 1; i < list->n; i++)
        generate(list, &list->entries[i], list->entries[i].count, out, crc);
    return close_output(out, path, err);
}

int test_weights_generate(const char *dir, const char *safetensors_path, const char *input_path,
                          char *err_text, size_t err_size)
{
    struct error err = {err_text, err_size};
    struct listing *list = calloc(1, sizeof(*list));
    uint32_t crc = 0;
    int status;

    if (!list)
        return fail(&err, "out of memory");
    status = read_listing(dir, list, &err);
    if (status == 0)
        status = write_input(list, input_path, &crc, &err);
    if (status == 0)
        status = write_weights(list, safetensors_path, &crc, &err);
    if (status == 0 && crc != list->crc)
        status = fail(&err, "%s: CRC-32 is %08" PRIx32 ", tensors.txt says %08" PRIx32, dir, crc,
                      list->crc);
    free(list);
    return status;
}
