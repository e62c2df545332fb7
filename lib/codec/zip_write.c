/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/zip.h"

enum {
    LOCAL = 0x04034b50,
    DESCRIPTOR = 0x08074b50,
    DIRECTORY = 0x02014b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    END = 0x06054b50,
    VERSION = 45,   /* ZIP64 */
    FLAGS = 0x0808, /* checksum behind the data; names are UTF-8 */
    DATE = 33,      /* 1980-01-01: the same data gives the same bytes */
    EXTRA64 = 1
};

static void put16(eop_buf *out, uint32_t value) {
    unsigned char bytes[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
    eop_buf_put(out, bytes, sizeof bytes);
}

static void put32(eop_buf *out, uint32_t value) {
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static void put64(eop_buf *out, uint64_t value) {
    put32(out, (uint32_t)value);
    put32(out, (uint32_t)(value >> 32));
}

edgeops_status eop_zip_begin(eop_zip_writer *zip, eop_buf *out, const char *name, uint64_t size) {
    if (!eop_grow(&zip->entries, &zip->capacity, zip->count + 1, sizeof *zip->entries)) {
        return eop_fail_nomem("codec");
    }
    eop_zip_entry *entry = &zip->entries[zip->count];
    *entry = (eop_zip_entry){
        .name = eop_strdup(name), .size = size, .packed = size, .offset = zip->offset};
    if (entry->name == NULL) {
        return eop_fail_nomem("codec");
    }
    zip->count++;
    zip->left = size;
    size_t before = out->size;
    put32(out, LOCAL);
    put16(out, VERSION);
    put16(out, FLAGS);
    put16(out, 0);
    put16(out, 0);
    put16(out, DATE);
    put32(out, 0);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, (uint32_t)strlen(name));
    put16(out, 20);
    eop_buf_puts(out, name);
    put16(out, EXTRA64);
    put16(out, 16);
    put64(out, size);
    put64(out, size);
    zip->offset += out->size - before;
    return EDGEOPS_OK;
}

void eop_zip_put(eop_zip_writer *zip, eop_buf *out, const void *data, size_t size) {
    eop_zip_entry *entry = &zip->entries[zip->count - 1];
    entry->crc = (uint32_t)crc32_z(entry->crc, data, size);
    eop_buf_put(out, data, size);
    zip->offset += size;
    zip->left -= size;
}

void eop_zip_end(eop_zip_writer *zip, eop_buf *out) {
    const eop_zip_entry *entry = &zip->entries[zip->count - 1];
    put32(out, DESCRIPTOR);
    put32(out, entry->crc);
    put64(out, entry->packed);
    put64(out, entry->size);
    zip->offset += 24;
}

static void put_directory_entry(eop_buf *out, const eop_zip_entry *entry) {
    put32(out, DIRECTORY);
    put16(out, 3 << 8 | VERSION); /* made on Unix */
    put16(out, VERSION);
    put16(out, FLAGS);
    put16(out, 0);
    put16(out, 0);
    put16(out, DATE);
    put32(out, entry->crc);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, (uint32_t)strlen(entry->name));
    put16(out, 28);
    put16(out, 0);
    put16(out, 0);
    put16(out, 0);
    put32(out, (uint32_t)0100644 << 16);
    put32(out, UINT32_MAX);
    eop_buf_puts(out, entry->name);
    put16(out, EXTRA64);
    put16(out, 24);
    put64(out, entry->size);
    put64(out, entry->packed);
    put64(out, entry->offset);
}

void eop_zip_finish(eop_zip_writer *zip, eop_buf *out) {
    size_t before = out->size;
    for (size_t i = 0; i < zip->count; i++) {
        put_directory_entry(out, &zip->entries[i]);
    }
    uint64_t size = out->size - before;
    put32(out, END64);
    put64(out, 44);
    put16(out, 3 << 8 | VERSION);
    put16(out, VERSION);
    put32(out, 0);
    put32(out, 0);
    put64(out, zip->count);
    put64(out, zip->count);
    put64(out, size);
    put64(out, zip->offset);
    put32(out, LOCATOR64);
    put32(out, 0);
    put64(out, zip->offset + size);
    put32(out, 1);
    put32(out, END);
    put16(out, 0);
    put16(out, 0);
    put16(out, UINT16_MAX);
    put16(out, UINT16_MAX);
    put32(out, UINT32_MAX);
    put32(out, UINT32_MAX);
    put16(out, 0);
    zip->offset += out->size - before;
}

void eop_zip_writer_dispose(eop_zip_writer *zip) {
    for (size_t i = 0; i < zip->count; i++) {
        eop_free(zip->entries[i].name);
    }
    eop_free(zip->entries);
    *zip = (eop_zip_writer){0};
}
