"""llama.cpp with a model in memory: reads tokens, writes tokens, is timed by what imports it."""

import sys
import time

import llama_cpp as llama


class Decoder:
    def __init__(self, path, threads, context):
        self.model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}; delete it, and it is made again")
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = context, 512, 512
        options.n_threads = options.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, options)

    def forget(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def read(self, tokens):
        for begin in range(0, len(tokens), 512):
            part = tokens[begin:begin + 512]
            words = (llama.llama_token * len(part))(*part)       # llama.cpp reads them in place
            if llama.llama_decode(self.context, llama.llama_batch_get_one(words, len(part))):
                sys.exit("llama.cpp cannot decode")
        llama.llama_synchronize(self.context)

    def write(self, tokens):
        """Tokens a second, one at a time after what was read."""
        begin = time.perf_counter()
        for token in tokens:
            self.read([token])
        return len(tokens) / (time.perf_counter() - begin)
