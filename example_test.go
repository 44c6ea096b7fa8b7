package fovea_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"fovea"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/internal/testmodel"
	"fovea/task"
)

// model and photo stand for a trained model and a file; fovea.Open(ctx, "") opens the model inside the program.
func model() string {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("fovea-example-%d", os.Getpid()))
	if err := testmodel.Write(dir); err != nil {
		log.Fatal(err)
	}
	return dir
}

func photo() *imageproc.RGB {
	ex, err := scenes.New(scenes.Config{Seed: 1, N: 1, Size: 160}).At(0, nil)
	if err != nil {
		log.Fatal(err)
	}
	return ex.Image
}

func Example() {
	ctx := context.Background()
	dir := model()
	defer os.RemoveAll(dir)
	p, err := fovea.Open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	found, err := p.Look(ctx, photo())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Width, "×", found.Height, "pixels,", len(found.Classes), "names for the picture")
	// Output: 160 × 160 pixels, 5 names for the picture
}

// Any words can be labels.
func ExamplePredictor_Classify() {
	ctx := context.Background()
	dir := model()
	defer os.RemoveAll(dir)
	p, err := fovea.Open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	classes, err := p.Classify(ctx, photo(), "a street", "a kitchen")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d labels, probabilities sum to %.3f\n", len(classes), classes[0].Score+classes[1].Score)
	// Output: 2 labels, probabilities sum to 1.000
}

// Do puts several tasks to a picture that goes through the model once. Its result encodes as the command line's JSON.
func ExamplePredictor_Do() {
	ctx := context.Background()
	dir := model()
	defer os.RemoveAll(dir)
	p, err := fovea.Open(ctx, dir, fovea.WithName("example"))
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	r, err := p.Do(ctx, fovea.Request{
		Image: photo(), Path: "photo.png",
		Tasks:     task.SetOf(task.Detect, task.Ask),
		Questions: []string{"what is it?"},
		Threshold: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	r.Elapsed, r.Answers = 0, nil
	line, err := json.Marshal(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
	// Output: {"image":"photo.png","width":160,"height":160,"model":"example","task":"look","ms":0,"objects":[]}
}

// Errors have codes, and say whether the same input may work later.
func ExampleError() {
	_, err := fovea.Load("nosuch.jpg")
	fmt.Println(fovea.Code(err))
	// Output: image.not_found
}
