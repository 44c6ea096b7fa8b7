package unified

import (
	"fovea/imageproc"
	"fovea/ops"
)

// EncodeBatch runs square pictures (S × S each) through the model in one pass, whose matrix products are larger and so
// cheaper a picture than those of one pass each. The pictures are those that Encode gives, up to rounding, and share no memory.
func (r *Runner) EncodeBatch(imgs []*imageproc.RGB) []*Picture {
	m, t := r.m, r.t
	t.Reset()
	c, n := m.Config, len(imgs)
	x := t.New(false, n, c.Size, c.Size, 3)
	pixels := len(x.Data) / n
	for i, img := range imgs {
		m.normalize(x.Data[i*pixels:(i+1)*pixels], img.Pix)
	}
	var all Encoded
	h := m.Forward(t, x, nil, &r.sc, &all.Cache)
	out := make([]*Picture, n)
	for i := range out {
		p := &Picture{Encoded: Encoded{Images: 1, Tokens: share(h.Tokens.Data, i, n), S4: share(h.S4.Data, i, n)}}
		if n == 1 { // the cache is the picture's own already
			p.Cache = all.Cache
			out[i] = p
			break
		}
		for _, l := range all.Cache.Layers {
			p.Cache.Layers = append(p.Cache.Layers, ops.Memory{K: share(l.K, i, n), V: share(l.V, i, n)})
		}
		out[i] = p
	}
	return out
}

// share is a copy of the i-th of n equal parts.
func share(v []float32, i, n int) []float32 {
	part := len(v) / n
	return append([]float32(nil), v[i*part:(i+1)*part]...)
}
