// Package chat turns a conversation into the text that a model was trained to go on from, by the template that a published
// repository brings along.
//
// Such templates are written in Jinja, the language of Python's web pages. This package runs the part of it that templates
// of models use: output, if, for (with break, continue, else and filters), set, macros, namespaces, tests, filters, the
// usual methods of strings and lists, and the control of white space as the Hugging Face library has it (trim_blocks and
// lstrip_blocks are on). What it does not know is an error that names the line. Differences: dictionaries list their keys in
// alphabetical order, tuples are lists, and a template stops after 262,144 steps or 4 MB of texts.
package chat
