"""The graph: from a text corpus to a disk image that boots straight into a language model.

    dataset -> tokenize -> train -> export -> compile -> link -> image

A recipe with a preset learns in PyTorch: dataset -> tokenizer -> pretokenise:… (a stage a shard) -> train -> export.
A recipe of published weights downloads them instead of training (stages fetch:…). With model=FILE the graph starts
from that file: nothing is trained, and no recipe is read; a folder of Hugging Face's becomes a file by the stages
import:… and export:….
`./doit list --all` names every stage, `./doit plan` says what would run and why.
"""

from pathlib import Path

from toolchain import DOIT_CONFIG as PLUGIN
from toolchain import Download, session, stage, tasks
from toolchain.cc import EFI, ENGINE, LINUX, objects, outputs, program, same, sources
from toolchain.commands.ingot import VARIABLES
from toolchain.learning import Learning, cluster, processes
from toolchain.locks import after_build
from toolchain.own_model import folder_files, own_model
from toolchain.pinned import Pinned
from toolchain.python import packages, program_files
from toolchain.recipe import Training, read
from toolchain.shards import of_user
from toolchain.stage import Ref

Files = dict[str, str | Ref]

build = session()
build.known.update(VARIABLES)

own = own_model(build)
source = None if own else read(build.root, build.get("image", "tales")).source
IMAGE = own.image if own else build.get("image", "tales")
NAME = Path(IMAGE).name
HERE = f"build/{IMAGE}"
PYTHON = ("model/__init__.py", "model/program.py")  # what every program of model/ imports
BYTES = tuple(f"model/tokenizers/{name}.py" for name in ("__init__", "table", "bytes"))
TOKENIZER_SHARDS = 10  # of which a tokenizer is made, as llama2.c takes ten
# One kind of processor for PyTorch, whatever this one is: other instructions add in another order.
ONE_CPU = ("ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_CBWR=AVX2")

# -- the engine's objects, shared by the trainer, the host program and the EFI program --------------

HEADERS = sources("efi_src/engine/*.h", "efi_src/kernels/*.h")
engine = objects("engine", ENGINE, HEADERS)
kernels = objects("kernels", ENGINE, HEADERS)
trainer_objects = objects("train", LINUX, [*HEADERS, *sources("efi_src/train/*.h")])
version = f'-DINGOT_VERSION="{build.version}"'
host_objects = objects("host", [*LINUX, version], [*HEADERS, *sources("efi_src/host/*.h")])
core = {**outputs(engine.values()), **outputs(kernels.values())}

trainer = program("trainer", "train", {**core, **outputs(trainer_objects.values())}, doc="links the trainer")
host = program("host", "ingot", {**core, **outputs(host_objects.values())}, doc="links the host program")

# -- the model: it learns from a corpus, or is fetched, or is the user's ----------------------------


def trained(source: Training) -> Files:
    """The model's file by its name on the disk, made by the last of these stages."""
    data, model, train = source.dataset, source.model, source.train
    if data.sha256 is not None:
        corpus = stage("dataset", folder=HERE, outputs=["corpus.txt"], doc=f"downloads {data.file}",
                       download=Download(str(data.file), data.urls, data.sha256, data.size))
    else:
        corpus = stage("dataset", folder=HERE, outputs=["corpus.txt"], doc="writes the stories to learn from",
                       inputs=sources(*PYTHON, "model/datasets/**/*.py"), tools=["python3"],
                       argv=["python3", "-m", f"model.datasets.{data.generator}", "--seed", str(data.seed),
                             "--bytes", str(data.bytes), "--out", "corpus.txt"])

    tokens = stage("tokenize", folder=HERE, outputs=["tokens.train.bin", "tokens.val.bin"], tools=["python3"],
                   doc="turns the text into token ids, 90 % to train on and 10 % held out",
                   inputs={"corpus.txt": corpus["corpus.txt"], **same(sources(*PYTHON, *BYTES))},
                   argv=["python3", "-m", f"model.tokenizers.{source.tokenizer}", "corpus.txt",
                         "--split", str(source.split), "--train", "tokens.train.bin", "--val", "tokens.val.bin"])

    weights = stage(
        "train", folder=HERE, outputs=["weights.bin", "train.jsonl", "samples.txt"], doc="trains the model",
        scratch=True, notes=["train.times.jsonl"], summary=build.summary("model.summary:table"),
        inputs={"train": trainer["train"], "tokens.train.bin": tokens["tokens.train.bin"],
                "tokens.val.bin": tokens["tokens.val.bin"]},
        argv=["./train", "--train", "tokens.train.bin", "--val", "tokens.val.bin",
              "--vocab", "256", "--layers", str(model.layers), "--heads", str(model.heads),
              "--width", str(model.width), "--context", str(model.context),
              "--steps", str(train.steps), "--batch", str(train.batch), "--lr", str(train.learning_rate),
              "--warmup", str(train.warmup), "--decay", str(train.weight_decay), "--seed", str(train.seed),
              "--log-every", str(train.log_every), "--eval-every", str(train.evaluate_every),
              "--sample-every", str(train.sample_every), "--scratch", "scratch",
              "--out", "weights.bin", "--log", "train.jsonl", "--samples", "samples.txt"])

    exported = stage(
        "export", folder=HERE, outputs=["model.gguf", "model.f32", "model.h"], tools=["python3"],
        doc="writes the weights as GGUF, raw fp32 and a C header",
        inputs={"weights.bin": weights["weights.bin"],
                **same(sources(*PYTHON, "model/export/*.py"))},
        argv=["python3", "-m", "model.export", "weights.bin", "--name", NAME, "--tokenizer", source.tokenizer,
              "--gguf", "model.gguf", "--raw", "model.f32", "--header", "model.h"])
    return {"model.gguf": exported["model.gguf"]}


def fetched(files: dict[str, Pinned]) -> Files:
    """Published files, by their names in build/; a stage for each."""
    return {name: stage(f"fetch:{Path(name).stem}", folder=HERE, outputs=[name], doc=f"downloads {file.file}",
                        download=Download(file.file, file.urls, file.sha256, file.size))[name]
            for name, file in files.items()}


def in_ml(name: str, module: str, words: list[str], inputs: Files, env: tuple[str, ...] = (), **more):
    """A stage that is a program of model/, in the root that has PyTorch."""
    return stage(name, folder=HERE, root="ml", tools=["python3", "env"],
                 inputs={**inputs, **same(program_files(module))},
                 argv=[*(["env", *env] if env else []), "python3", "-m", *words],
                 params=packages("torch", "numpy", "sentencepiece", "tiktoken"), **more)


def texts(source: Learning) -> Files:
    """What it learns from, a file a shard, by their paths in a work folder."""
    data = source.dataset
    if data.text is not None:
        return of_user(build, data.text)
    if data.generator is not None:
        made = stage("dataset", folder=HERE, outputs=["corpus.txt"], doc="writes the stories to learn from",
                     inputs=program_files(f"model.datasets.{data.generator}"), tools=["python3"],
                     argv=["python3", "-m", f"model.datasets.{data.generator}", "--seed", str(data.seed),
                           "--bytes", str(data.bytes), "--documents", "--out", "corpus.txt"])
        return {"corpus.txt": made["corpus.txt"]}
    corpus = "corpus.tar.gz" if data.shards else "corpus.json" if data.file.endswith(".json") else "corpus.txt"
    made = stage("dataset", folder=HERE, outputs=[corpus], doc=f"downloads {data.file}",
                 download=Download(data.file, data.urls, data.sha256, data.size))
    if not data.shards:
        return {corpus: made[corpus]}
    names = [f"shard{i:02}.json" for i in range(data.shards)]
    unpacked = stage("unpack", folder=HERE, outputs=names, doc="takes the shards out of the archive", tools=["python3"],
                     inputs={corpus: made[corpus], **same(program_files("model.datasets.archive"))},
                     argv=["python3", "-m", "model.datasets.archive", corpus, "--out", *names])
    return {name: unpacked[name] for name in names}


def learned(source: Learning) -> Files:
    """The model's files by their names on the disk, of one that learns in PyTorch."""
    shards, wish = texts(source), source.tokenizer
    made_of = fetched({Path(file.file).name: file for file in wish.files}) if wish.files else \
        dict(list(shards.items())[:TOKENIZER_SHARDS]) if wish.kind in ("chars", "bpe") else {}
    vocab = ["--vocab", str(wish.vocab)] if wish.vocab else []
    tokenizer = in_ml("tokenizer", "model.tokenizers", ["model.tokenizers", wish.kind, *made_of, *vocab,
                      "--out", "tokenizer.json"], made_of, outputs=["tokenizer.json"], doc="makes the tokenizer")
    made: Files = {"tokenizer.json": tokenizer["tokenizer.json"]}

    tokens: dict[str, Files] = {"train": {}, "val": {}}
    place = cluster(build)
    for path, text in shards.items():
        name = Path(path).stem
        shard = in_ml(f"pretokenise:{name}", "model.pretokenise", [
            "model.pretokenise", path, "--tokenizer", "tokenizer.json", "--out", "tokens", "--jobs", "1"],
            {path: text, **made}, place=place, outputs=[f"tokens/{name}.{part}.bin" for part in tokens],
            doc=f"turns {path} into token ids, nine documents of ten to train on, the tenth held out")
        for part in tokens:
            tokens[part][f"tokens/{name}.{part}.bin"] = shard[f"tokens/{name}.{part}.bin"]

    nproc = processes(build)
    alone = ["model.train"] if nproc == 1 else \
        ["torch.distributed.run", "--standalone", f"--nproc-per-node={nproc}", "-m", "model.train"]
    weights = in_ml(
        "train", "model.train", [*alone, *source.train, "--tokenizer", "tokenizer.json", "--train", *tokens["train"],
                                 "--val", *tokens["val"], "--scratch", "scratch", "--out", "model.safetensors",
                                 "--metrics", "train.jsonl", "--samples", "samples.txt"],
        {**made, **tokens["train"], **tokens["val"]},
        (f"OMP_NUM_THREADS={source.threads}", "OMP_WAIT_POLICY=PASSIVE", *ONE_CPU),
        outputs=["model.safetensors", "train.jsonl", "samples.txt"], doc="trains the model in PyTorch", scratch=True,
        notes=["train.times.jsonl"], summary=build.summary("model.summary:table"))

    written, (others, more) = source.files, source.others
    exported = in_ml("export", "model.export.checkpoint", [
        "model.export.checkpoint", "model.safetensors", "--tokenizer", "tokenizer.json", "--name", NAME,
        *(word for words in written.values() for word in words), *more],
        {**made, "model.safetensors": weights["model.safetensors"]}, outputs=[*written, *others],
        doc=f"writes the weights as {source.export.format}, {source.export.type}")
    return {name: exported[name] for name in written}


def imported(name: str, stem: str, folder: Path) -> Files:
    """A folder of Hugging Face's as GGUF."""
    made, words = f"{stem}.safetensors", f"{stem.replace('model', 'tokenizer')}.json"
    gguf = f"{stem}.gguf"
    found = in_ml(f"import:{stem}", "model.importing", [
        "model.importing", "folder", "--out", made, "--tokenizer", words],
        {f"folder/{path}": file for path, file in folder_files(folder).items()}, outputs=[made, words],
        doc=f"reads the folder {folder.name}")
    exported = in_ml(f"export:{stem}", "model.export.checkpoint", [
        "model.export.checkpoint", made, "--tokenizer", words, "--name", name, "--gguf", gguf, "--type", "Q8_0"],
        {made: found[made], words: found[words]}, outputs=[gguf], doc="writes the weights as gguf, Q8_0")
    return {gguf: exported[gguf]}


models: dict[str, Files]  # by the names that /model knows
if own:
    models = {model.name: imported(model.name, stem, model.folder) if model.folder else {**own.files[model.name]}
              for stem, model in own.stems}
elif isinstance(source, Training):
    models = {NAME[:40]: trained(source)}
elif isinstance(source, Learning):
    models = {NAME[:40]: learned(source)}
elif source:
    models = {NAME[:40]: fetched(source.files)}

# -- the EFI program and the disk -----------------------------------------------------------------

GNU_EFI = ["/usr/lib/crt0-efi-x86_64.o", "/usr/lib/libgnuefi.a", "/usr/lib/elf_x86_64_efi.lds"]

efi_objects = objects("uefi", [*EFI, version], [*HEADERS, *sources("efi_src/uefi/*.h")], tools=["/usr/include/efi"])
beside = {name: file for files in models.values() for name, file in files.items()}  # the program, on the disk
if isinstance(source, (Training, Learning)) and source.link_model:
    in_program, beside = beside["model.gguf"], {}
else:
    words = [word for name, files in models.items() for word in ("--model", name, *files)]
    reference = stage("reference", folder=HERE, outputs=["models.ref"], tools=["python3"],
                      doc="writes size and sha256 of the models' files, for the program to check them by",
                      inputs={**beside, **same(sources(*PYTHON, "model/pins.py"))},
                      argv=["python3", "-m", "model.pins", *words, "--out", "models.ref"])
    in_program = reference["models.ref"]
blob = stage("compile:model", folder=HERE, outputs=["model.o"], tools=["gcc", "as"],
             doc="makes an object of the model file",
             inputs={"model.gguf": in_program, "model_blob.S": "efi_src/uefi/model_blob.S"},
             argv=["gcc", "-c", "model_blob.S", "-o", "model.o"])

program_parts = {**core, **outputs(efi_objects.values()), "model.o": blob["model.o"]}
efi = stage("link", folder=HERE, outputs=["BOOTX64.EFI"], tools=["sh", "ld", "nm", "objcopy", *GNU_EFI],
            doc="links the EFI program",
            inputs={**program_parts, "link.sh": "efi_src/uefi/link.sh"},
            argv=["sh", "link.sh", "BOOTX64.EFI", *sorted(program_parts)])

image = stage("image", folder=HERE, outputs=[f"{NAME}.img"], tools=["python3", "mformat", "mmd", "mcopy", "sgdisk"],
              doc="puts the EFI program on a bootable disk",
              inputs={"image.py": "toolchain/image.py", "BOOTX64.EFI": efi["BOOTX64.EFI"], **beside},
              argv=["python3", "image.py", "--out", f"{NAME}.img", "--label", "INGOT",
                    "--file", "EFI/BOOT/BOOTX64.EFI=BOOTX64.EFI",
                    *(word for path in beside for word in ("--file", f"{path}={path}"))])

build.finishers.append(lambda: after_build(build, IMAGE))

DOIT_CONFIG = {**PLUGIN, "default_tasks": ["image", "host"]}


def task_stages():
    """Every stage above, as a doit task."""
    return tasks()
