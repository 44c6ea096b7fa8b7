package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

// prose repeats the fixtures' texts with a running number in them, about 200 KB.
func prose(b *testing.B) string {
	b.Helper()
	base := texts(b, "gpt2")
	var s strings.Builder
	for i := 0; s.Len() < 200_000; i++ {
		s.WriteString("A man is riding a wave on top of a surfboard while two other people watch him from the beach. ")
		s.WriteString(base[i%len(base)])
		s.WriteString("\n")
	}
	return s.String()
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"gpt2", "clip", "bytebpe_digits", "llama3", "o200k", "unigram", "wordpiece", "gemma_bpe"} {
		b.Run(name, func(b *testing.B) {
			p := loadFixture(b, name)
			text := prose(b)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.Encode(text)
			}
		})
	}
}

// BenchmarkEncodeShort is a question to a model.
func BenchmarkEncodeShort(b *testing.B) {
	p, err := Train(slices.Values(texts(b, "gpt2")), TrainOptions{VocabSize: 800, Specials: []string{"<ask>", "<end>"}, Clean: CleanAll()})
	if err != nil {
		b.Fatal(err)
	}
	const text = "<ask> What color is the cat on the sofa?"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		p.Encode(text)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"gpt2", "unigram"} {
		b.Run(name, func(b *testing.B) {
			p := loadFixture(b, name)
			text := prose(b)
			ids := p.Encode(text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				p.Decode(ids, true)
			}
		})
	}
}

func BenchmarkLoadGPT2(b *testing.B) {
	for b.Loop() {
		loadFixture(b, "gpt2")
	}
}

func BenchmarkTrain(b *testing.B) {
	text := prose(b)
	lines := strings.Split(text, "\n")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Train(slices.Values(lines), TrainOptions{VocabSize: 1000}); err != nil {
			b.Fatal(err)
		}
	}
}
