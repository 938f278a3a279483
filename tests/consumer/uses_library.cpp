#include <iostream>

int fib_in_a_worker(int n);

int main() { std::cout << fib_in_a_worker(20) << '\n'; }
