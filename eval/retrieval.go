package eval

import "fmt"

// Retrieval scores a matrix of similarities between pictures and texts, as for Flickr30k and COCO (Karpathy & Fei-Fei
// 2015): R@k is the share of queries with a right answer among the k most similar. similarity is [images, texts], row by
// row; image[t] is the picture that text t belongs to, and a picture may have several texts.
//
//	i2t_R@1 i2t_R@5 i2t_R@10   from each picture that has a text, any of its texts
//	t2i_R@1 t2i_R@5 t2i_R@10   from each text, its picture
//
// Between equal similarities a wrong answer goes first, so that a constant scores nothing; NaN is less than any number.
func Retrieval(similarity []float32, images int, image []int) (map[string]float64, error) {
	texts := len(image)
	if images < 0 || len(similarity) != images*texts {
		return nil, fmt.Errorf("eval: %d similarities of %d images and %d texts, want %d", len(similarity), images, texts, images*texts)
	}
	best := make([]int, images) // of each picture's texts the most similar, or -1
	for i := range best {
		best[i] = -1
	}
	for t, i := range image {
		if i < 0 || i >= images {
			return nil, fmt.Errorf("eval: text %d belongs to image %d of %d", t, i, images)
		}
		if row := similarity[i*texts:]; best[i] < 0 || less(row[best[i]], row[t]) {
			best[i] = t
		}
	}
	var text, picture recall
	for t, i := range image {
		right, rank := similarity[i*texts+t], 0
		for j := range images {
			if j != i && !less(similarity[j*texts+t], right) {
				rank++
			}
		}
		text.add(rank)
	}
	for i, b := range best {
		if b < 0 {
			continue
		}
		row := similarity[i*texts : (i+1)*texts]
		rank := 0
		for t, v := range row {
			if image[t] != i && !less(v, row[b]) {
				rank++
			}
		}
		picture.add(rank)
	}
	out := map[string]float64{}
	picture.put(out, "i2t_R@")
	text.put(out, "t2i_R@")
	return out, nil
}

// recall counts queries by whether the rank of their right answer is below 1, 5 and 10.
type recall struct {
	n    int
	hits [3]int
}

var ranks = [3]int{1, 5, 10}

func (r *recall) add(rank int) {
	r.n++
	for i, k := range ranks {
		if rank < k {
			r.hits[i]++
		}
	}
}

func (r *recall) put(out map[string]float64, prefix string) {
	for i, k := range ranks {
		out[fmt.Sprint(prefix, k)] = ratio(r.hits[i], r.n)
	}
}

// less orders floats with NaN first.
func less(a, b float32) bool { return a < b || a != a && b == b }
