package webhook

// Sign is sign.
var Sign = sign
