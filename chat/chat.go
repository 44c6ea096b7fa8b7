package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Message is what one side says.
type Message struct {
	Role  string // "user", "assistant", "system"
	Parts []Part
}

// Part is a picture or a text.
type Part struct {
	Image bool
	Text  string
}

// Ask is the conversation that shows n pictures and asks about them.
func Ask(n int, question string) []Message {
	m := Message{Role: "user"}
	for range n {
		m.Parts = append(m.Parts, Part{Image: true})
	}
	return []Message{{m.Role, append(m.Parts, Part{Text: question})}}
}

// Pictures counts the pictures that messages show.
func Pictures(messages []Message) (n int) {
	for _, m := range messages {
		for _, p := range m.Parts {
			if p.Image {
				n++
			}
		}
	}
	return n
}

// Around is the text of a conversation that goes on with a question, up to where the model answers, taken apart at the marks that stand
// in it for n pictures: n+1 parts. Pictures that before does not show stand with the question.
func (t *Template) Around(before []Message, n int, question, mark string) ([]string, error) {
	text, err := t.Render(append(before[:len(before):len(before)], Ask(n-Pictures(before), question)...))
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(text, mark, n+1)
	if len(parts) != n+1 {
		return nil, fmt.Errorf("chat: the template shows %d of %d pictures as %q", len(parts)-1, n, mark)
	}
	return parts, nil
}

// Answer gives what stands in a conversation after the text of Render, once the model has answered.
func (t *Template) Answer(messages []Message, answer string) (string, error) {
	before, err := t.Render(messages)
	if err != nil {
		return "", err
	}
	all, err := t.render(append(messages[:len(messages):len(messages)], Message{"assistant", []Part{{Text: answer}}}), false)
	if err != nil {
		return "", err
	}
	said, ok := strings.CutPrefix(all, before)
	if !ok {
		return "", fmt.Errorf("chat: the template writes an answer that does not go on from its prompt %q", before)
	}
	return said, nil
}

// Render gives the text of a conversation up to where the model answers.
func (t *Template) Render(messages []Message) (string, error) { return t.render(messages, true) }

func (t *Template) render(messages []Message, open bool) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		parts := make([]any, len(m.Parts))
		for j, p := range m.Parts {
			if p.Image {
				parts[j] = map[string]any{"type": "image"}
			} else {
				parts[j] = map[string]any{"type": "text", "text": p.Text}
			}
		}
		list[i] = map[string]any{"role": m.Role, "content": parts}
	}
	return t.Execute(map[string]any{"messages": list, "add_generation_prompt": open})
}

// Find reads the template of a repository, whose files read gives: chat_template.jinja, or else chat_template.json, or else
// tokenizer_config.json. A repository without one gives fs.ErrNotExist.
func Find(read func(name string) ([]byte, error)) (*Template, error) {
	b, err := read("chat_template.jinja")
	if err == nil {
		return named("chat_template.jinja", string(b))
	}
	for _, file := range []string{"chat_template.json", "tokenizer_config.json"} {
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if b, err = read(file); err != nil {
			continue
		}
		src, e := template(b)
		if e != nil {
			return nil, fmt.Errorf("chat: %s: %w", file, e)
		}
		if src != "" {
			return named(file, src)
		}
		err = fs.ErrNotExist
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("chat: the repository has no chat template: %w", fs.ErrNotExist)
	}
	return nil, err
}

func named(file, src string) (*Template, error) {
	t, err := Parse(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

// template is the chat_template of a file: a text, or a list of texts with names, of which "default" is meant.
func template(b []byte) (string, error) {
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return "", err
	}
	var src string
	if c.Template == nil || json.Unmarshal(c.Template, &src) == nil {
		return src, nil
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(c.Template, &list); err != nil {
		return "", fmt.Errorf("chat_template is neither a text nor a list of named texts")
	}
	for _, x := range list {
		if x.Name == "default" {
			return x.Template, nil
		}
	}
	return "", fmt.Errorf("chat_template has none called \"default\"")
}
