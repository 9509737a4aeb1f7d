/* The model, linked into the program. Assemble with the folder of model.gguf as -Wa,-I: the object
 * holds the bytes and no path. */
    .section .rodata.model, "a", @progbits
    .balign 64
    .globl model_blob_start
    .hidden model_blob_start
    .type model_blob_start, @object
model_blob_start:
    .incbin "model.gguf"
    .globl model_blob_end
    .hidden model_blob_end
    .type model_blob_end, @object
model_blob_end:
    .section .note.GNU-stack, "", @progbits
