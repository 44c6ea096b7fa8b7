package kernel

import "fmt"

// Mat is a float32 matrix, or a view of one: element (i, j) is Data[i*RS+j*CS]. It owns nothing; Data is the caller's.
type Mat struct {
	Data       []float32
	Rows, Cols int
	RS, CS     int // strides in elements
}

// M returns data as a row-major matrix of rows × cols. It panics when data is too short.
func M(data []float32, rows, cols int) Mat {
	if rows < 0 || cols < 0 || len(data) < rows*cols {
		panic(fmt.Sprintf("kernel: M: %d elements cannot be %d×%d", len(data), rows, cols))
	}
	return Mat{data, rows, cols, cols, 1}
}

// T returns the transposed view.
func (m Mat) T() Mat { return Mat{m.Data, m.Cols, m.Rows, m.CS, m.RS} }

// Slice returns the view of rows [r0, r1) and columns [c0, c1). It panics when they are out of range.
func (m Mat) Slice(r0, r1, c0, c1 int) Mat {
	if r0 < 0 || r0 > r1 || r1 > m.Rows || c0 < 0 || c0 > c1 || c1 > m.Cols {
		panic(fmt.Sprintf("kernel: Slice: [%d:%d, %d:%d] is outside %d×%d", r0, r1, c0, c1, m.Rows, m.Cols))
	}
	v := Mat{nil, r1 - r0, c1 - c0, m.RS, m.CS}
	if v.Rows > 0 && v.Cols > 0 {
		v.Data = m.Data[r0*m.RS+c0*m.CS:]
	}
	return v
}

// Row returns row i of a matrix with CS 1.
func (m Mat) Row(i int) []float32 { return m.Data[i*m.RS : i*m.RS+m.Cols] }

// check panics unless every element lies in Data.
func (m Mat) check(what string) {
	if m.Rows < 0 || m.Cols < 0 || m.RS < 0 || m.CS < 0 {
		panic(fmt.Sprintf("kernel: %s: negative size or stride: %d×%d, strides %d, %d", what, m.Rows, m.Cols, m.RS, m.CS))
	}
	if m.Rows > 0 && m.Cols > 0 && (m.Rows-1)*m.RS+(m.Cols-1)*m.CS >= len(m.Data) {
		panic(fmt.Sprintf("kernel: %s: %d×%d with strides %d, %d needs more than %d elements",
			what, m.Rows, m.Cols, m.RS, m.CS, len(m.Data)))
	}
}
