// A library of the toolkit's that is loaded while its calls run. It has many classes, so that the native part learns of new
// ones all the time.
#include "toolkit.hpp"

#include <array>
#include <utility>

namespace {

template <std::size_t number>
class vtkLateFilter : public vtkAlgorithm {
public:
    int Compute(int microseconds) override { return vtkAlgorithm::Compute(microseconds); }
};

template <std::size_t number>
vtkAlgorithm* make()
{
    return new vtkLateFilter<number>;
}

template <std::size_t... numbers>
constexpr std::array<vtkAlgorithm* (*)(), sizeof...(numbers)> makers(std::index_sequence<numbers...>)
{
    return {make<numbers>...};
}

} // namespace

extern "C" vtkAlgorithm* late_filter(std::size_t number)
{
    static constexpr auto all = makers(std::make_index_sequence<64>());
    return all[number % all.size()]();
}
