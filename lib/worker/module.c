/* SPDX-License-Identifier: Apache-2.0 */
/* Module "_edgeops": messages of codec/wire.h as Python objects. glue.py is its only user and
 * checks types; what is wrong here is TypeError or ValueError all the same. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/str.h"
#include "codec/wire.h"
#include "worker/worker.h"

/* PyMemoryView_FromMemory() is in the limited API since 3.3, its flag only since 3.11. */
#ifndef PyBUF_READ
#define PyBUF_READ 0x100
#endif

#define MAX_OUTPUTS 64

static PyObject *send_buffer(eop_buf *buf) {
    bool good = !buf->failed;

    if (buf->failed) {
        (void)PyErr_NoMemory();
    } else {
        Py_BEGIN_ALLOW_THREADS;
        good = eop_channel_write(buf->data, buf->size);
        Py_END_ALLOW_THREADS;
        if (!good) {
            PyErr_SetString(PyExc_ConnectionError, "the host is gone");
        }
    }
    eop_buf_dispose(buf);
    if (!good) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* (column, type, data, bytes, length, valid) of each column that is not float64. */
static PyObject *extras_of(const eop_wire_view *view, size_t base) {
    PyObject *list = PyTuple_New((Py_ssize_t)view->extra_count);

    for (uint32_t i = 0; list != NULL && i < view->extra_count; i++) {
        const eop_wire_extra *e = &view->extras[i];
        PyObject *item = Py_BuildValue("(IInnnn)", e->column, e->type, (Py_ssize_t)(base + e->data),
                                       (Py_ssize_t)(base + e->bytes), (Py_ssize_t)e->length,
                                       (Py_ssize_t)(e->valid != 0 ? base + e->valid : 0));
        if (item == NULL || PyTuple_SetItem(list, (Py_ssize_t)i, item) != 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* (rows, columns, offset of times, offset of values, extras); offsets from the start of data. */
static PyObject *block_of(const char *data, size_t base, size_t size) {
    eop_wire_view view;

    if (eop_wire_block_read(&view, data + base, size) < 0) {
        PyErr_SetString(PyExc_ValueError, "a malformed block");
        return NULL;
    }
    PyObject *extras = extras_of(&view, base);
    if (extras == NULL) {
        return NULL;
    }
    return Py_BuildValue("(nInnN)", (Py_ssize_t)view.rows, view.columns,
                         (Py_ssize_t)(base + view.times), (Py_ssize_t)(base + view.values), extras);
}

static PyObject *message_of(PyObject *bytes, const char *data, size_t size) {
    eop_wire_head head;
    const char *body;
    size_t body_size;

    if (eop_wire_open(&head, &body, &body_size, data, size) < 0) {
        Py_DECREF(bytes);
        PyErr_SetString(PyExc_ValueError, "a malformed message");
        return NULL;
    }
    PyObject *what;
    if (head.kind == EOP_WIRE_PREDICT) {
        what = block_of(data, (size_t)(body - data), body_size);
    } else {
        what = PyUnicode_DecodeUTF8(body, (Py_ssize_t)body_size, "strict");
    }
    if (what == NULL) {
        Py_DECREF(bytes);
        return NULL;
    }
    return Py_BuildValue("(iiiKNN)", (int)head.kind, (int)head.flags, (int)head.code,
                         (unsigned long long)head.id, bytes, what);
}

PyDoc_STRVAR(receive_doc, "receive(wait) -> (kind, flags, code, id, frame, what) | None\n\n"
                          "what: text, or a block. None: nothing has come (wait false).\n"
                          "ConnectionError: the host is gone.");

static PyObject *receive(PyObject *self, PyObject *args) {
    int wait = 1;
    int found;
    bool good;
    size_t size = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "p", &wait)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS;
    found = eop_channel_peek(&size, wait != 0);
    Py_END_ALLOW_THREADS;
    if (found == 0) {
        Py_RETURN_NONE;
    }
    PyObject *bytes = found > 0 ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
    if (bytes == NULL) {
        if (found < 0) {
            PyErr_SetString(PyExc_ConnectionError, "the host is gone");
        }
        return NULL;
    }
    /* Arrays that a workflow sees are views into this object: it lives as long as they do. */
    char *data = PyBytes_AsString(bytes);
    Py_BEGIN_ALLOW_THREADS;
    good = eop_channel_read(data, size);
    Py_END_ALLOW_THREADS;
    if (!good) {
        Py_DECREF(bytes);
        PyErr_SetString(PyExc_ConnectionError, "the host is gone");
        return NULL;
    }
    return message_of(bytes, data, size);
}

/* item: what the glue has checked: None, float, int, bool or str. */
static bool value_of(edgeops_value *out, PyObject *item, int type, PyObject **held) {
    *out = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    if (item == Py_None) {
        return true;
    }
    out->type = (edgeops_type)type;
    switch (out->type) {
    case EDGEOPS_TYPE_FLOAT64:
        out->as.f64 = PyFloat_AsDouble(item);
        break;
    case EDGEOPS_TYPE_INT64:
        out->as.i64 = PyLong_AsLongLong(item);
        break;
    case EDGEOPS_TYPE_BOOL:
        out->as.i64 = PyObject_IsTrue(item);
        break;
    case EDGEOPS_TYPE_STRING: {
        Py_ssize_t size = 0;
        char *text = NULL;
        *held = PyUnicode_AsUTF8String(item);
        if (*held == NULL || PyBytes_AsStringAndSize(*held, &text, &size) != 0) {
            return false; /* a NUL in it is refused by the glue */
        }
        if ((size_t)size > EOP_WIRE_MAX_STRING) {
            PyErr_SetString(PyExc_ValueError, "a text of over 64 KiB");
            return false;
        }
        out->as.str = text;
        out->size = (uint32_t)size;
        break;
    }
    case EDGEOPS_TYPE_NULL:
    default:
        PyErr_SetString(PyExc_TypeError, "an unknown type");
        return false;
    }
    return PyErr_Occurred() == NULL;
}

PyDoc_STRVAR(answer_doc, "answer(id, types, values): the outputs of one window.");

static PyObject *answer(PyObject *self, PyObject *args) {
    unsigned long long id;
    PyObject *types;
    PyObject *list;
    PyObject *held[MAX_OUTPUTS] = {NULL};
    edgeops_value values[MAX_OUTPUTS];
    eop_buf buf = {0};
    bool good = true;

    (void)self;
    if (!PyArg_ParseTuple(args, "KO!O!", &id, &PyTuple_Type, &types, &PyList_Type, &list)) {
        return NULL;
    }
    Py_ssize_t count = PyList_Size(list);
    if (count > MAX_OUTPUTS || PyTuple_Size(types) != count) {
        PyErr_SetString(PyExc_ValueError, "a wrong number of outputs");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count && good; i++) {
        long type = PyLong_AsLong(PyTuple_GetItem(types, i));
        good = value_of(&values[i], PyList_GetItem(list, i), (int)type, &held[i]);
    }
    if (good) {
        eop_wire_put_answer(&buf, id, values, (size_t)count);
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_XDECREF(held[i]);
    }
    return good ? send_buffer(&buf) : NULL;
}

PyDoc_STRVAR(send_doc, "send(kind, id, code, text): a message of text, or of nothing.");

static PyObject *send_text(PyObject *self, PyObject *args) {
    int kind;
    int code;
    unsigned long long id;
    const char *text;
    Py_ssize_t size;
    eop_buf buf = {0};

    (void)self;
    if (!PyArg_ParseTuple(args, "iKis#", &kind, &id, &code, &text, &size)) {
        return NULL;
    }
    eop_wire_put_text(&buf, (eop_wire_kind)kind, id, code, text, (size_t)size);
    return send_buffer(&buf);
}

PyDoc_STRVAR(progress_doc, "progress(part): 0..1");

static PyObject *progress(PyObject *self, PyObject *args) {
    double part;
    eop_buf buf = {0};

    (void)self;
    if (!PyArg_ParseTuple(args, "d", &part)) {
        return NULL;
    }
    eop_wire_put_progress(&buf, part);
    return send_buffer(&buf);
}

PyDoc_STRVAR(metric_doc, "metric(name, value, step): step -1 for none");

static PyObject *metric(PyObject *self, PyObject *args) {
    const char *name;
    Py_ssize_t size;
    double value;
    long long step;
    eop_buf buf = {0};

    (void)self;
    if (!PyArg_ParseTuple(args, "s#dL", &name, &size, &value, &step)) {
        return NULL;
    }
    eop_wire_metric m = {name, (size_t)size, value, step};
    eop_wire_put_metric(&buf, &m);
    return send_buffer(&buf);
}

PyDoc_STRVAR(dataset_doc, "dataset(offset) -> (memory, rows, windows, groups, labels, starts, "
                          "window_labels, block)\n\nOffsets into memory, which is read-only and "
                          "shared with the host. offset: of the subset in the dataset's file.");

/* The dataset's file, mapped once. */
static const char *map_dataset(size_t *size) {
    static void *memory;
    static size_t mapped;
    struct stat info;

    if (memory == NULL) {
        if (fstat(EOP_WIRE_DATASET_FD, &info) != 0) {
            PyErr_SetFromErrno(PyExc_OSError);
            return NULL;
        }
        mapped = (size_t)info.st_size;
        memory = mmap(NULL, mapped, PROT_READ, MAP_SHARED, EOP_WIRE_DATASET_FD, 0);
        if (memory == MAP_FAILED) {
            memory = NULL;
            PyErr_SetFromErrno(PyExc_OSError);
        }
    }
    *size = mapped;
    return memory;
}

static PyObject *dataset(PyObject *self, PyObject *args) {
    eop_wire_dataset head;
    Py_ssize_t offset = 0;
    size_t size = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "n", &offset)) {
        return NULL;
    }
    const char *memory = map_dataset(&size);
    if (memory == NULL) {
        return NULL;
    }
    if (offset < 0 || offset % 8 != 0 || (size_t)offset >= size ||
        eop_wire_dataset_read(&head, memory + offset, size - (size_t)offset) < 0) {
        PyErr_SetString(PyExc_ValueError, "a malformed dataset");
        return NULL; /* the process ends with this; so does the mapping */
    }
    char *start = (char *)(uintptr_t)memory + offset;
    PyObject *block = block_of(start, (size_t)head.block, (size_t)head.block_size);
    PyObject *view = block != NULL
                         ? PyMemoryView_FromMemory(start, (Py_ssize_t)size - offset, PyBUF_READ)
                         : NULL;
    if (view == NULL) {
        Py_XDECREF(block);
        return NULL;
    }
    return Py_BuildValue("(NnnnnnnN)", view, (Py_ssize_t)head.rows, (Py_ssize_t)head.windows,
                         (Py_ssize_t)head.groups, (Py_ssize_t)head.labels, (Py_ssize_t)head.starts,
                         (Py_ssize_t)head.window_labels, block);
}

static PyMethodDef methods[] = {
    {"receive", receive, METH_VARARGS, receive_doc},
    {"answer", answer, METH_VARARGS, answer_doc},
    {"send", send_text, METH_VARARGS, send_doc},
    {"progress", progress, METH_VARARGS, progress_doc},
    {"metric", metric, METH_VARARGS, metric_doc},
    {"dataset", dataset, METH_VARARGS, dataset_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_edgeops", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyObject *eop_worker_module(void) {
    return PyModule_Create(&definition);
}
