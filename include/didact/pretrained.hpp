#pragma once

/// Hugging Face folders, tokenizers, files of labelled text, checkpoints: what a run on real data needs beside
/// didact/didact.hpp. Apart from it because reading JSON doubles the time that the compiler takes.

#include "didact/data/answer_windows.hpp"
#include "didact/data/conll.hpp"
#include "didact/data/encode_table.hpp"
#include "didact/data/squad.hpp"
#include "didact/didact.hpp"
#include "didact/io/hugging_face.hpp"
#include "didact/text/tokenizer_json.hpp"
#include "didact/text/tokenizer_save.hpp"
#include "didact/train/checkpoint.hpp"
