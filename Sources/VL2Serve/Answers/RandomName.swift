/// A name that no other answer has.
func randomName(_ count: Int) -> String {
  let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
  return String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count)] })
}
